"""Builds the two extensions and the library that is preloaded; everything else stands in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

FLAGS = ["-std=c++17", "-O2", "-g", "-Wall", "-Wextra", "-fno-omit-frame-pointer", "-fvisibility=hidden"]

HEADER = "include/storeprof/profile.hpp"


class BuildWithHeader(build_py):
    """The header goes into the package: `storeprof config --includes` names it there."""

    def run(self) -> None:
        """Copy it beside the modules; an editable installation uses the one in the source tree."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "storeprof", HEADER)
            self.mkpath(str(target.parent))
            self.copy_file(HEADER, str(target))


# Recording is Linux's; elsewhere storeprof reads what other tools recorded, and needs no extension.
setup(
    cmdclass={"build_py": BuildWithHeader},
    ext_modules=[]
    if sys.platform != "linux"
    else [
        Extension(
            "storeprof.probe._recorder",
            sources=["native/recorder_module.cpp"],
            include_dirs=["include"],
            depends=["include/storeprof/profile.hpp", *map(str, Path("native").glob("recorder_*.hpp"))],
            extra_compile_args=FLAGS,
            language="c++",
        ),
        Extension(
            "storeprof.observe._observer",
            sources=["native/observer_module.cpp"],
            include_dirs=["include", "native"],
            depends=[*map(str, Path("native").glob("*.hpp")), *map(str, Path("native").glob("*.inc"))],
            extra_compile_args=FLAGS,
            language="c++",
        ),
        # No extension module: it is preloaded into programs under study, and links neither Python nor libstdc++.
        Extension(
            "storeprof.observe._allocation_hook",
            sources=["native/allocation_hook.cpp"],
            extra_compile_args=[*FLAGS, "-fno-exceptions", "-fno-rtti"],
            extra_link_args=["-Wl,--as-needed"],
            language="c++",
        ),
    ],
)
