"""Builds the two extensions and the library that is preloaded; everything else stands in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import Extension, setup

FLAGS = ["-std=c++17", "-O2", "-g", "-Wall", "-Wextra", "-fno-omit-frame-pointer", "-fvisibility=hidden"]

# Recording is Linux's; elsewhere storeprof reads what other tools recorded, and needs no extension.
setup(
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
    ]
)
