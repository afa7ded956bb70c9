"""`storeprof config`: where the C++ header and its CMake package lie."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from storeprof.errors import UsageError

PACKAGE = Path(__file__).parents[1]
EPILOG = """\
examples:
  g++ -std=c++17 -DSTOREPROF_ENABLE $(storeprof config --includes) engine.cpp -pthread
  cmake -Dstoreprof_DIR=$(storeprof config --cmake-dir) .    then, in CMakeLists.txt:
      find_package(storeprof REQUIRED)
      target_link_libraries(engine PRIVATE storeprof::storeprof)
"""


def add_parser(commands: Any) -> None:
    """Add `config` to the command line."""
    parser = commands.add_parser(
        "config",
        help="where the C++ header and its CMake package lie",
        description="Print what a build of a C++ program with probes needs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--includes", action="store_true", help="the compiler's option for the header")
    what.add_argument("--cmake-dir", action="store_true", help="the folder for storeprof_DIR")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    print(f"-I{include_folder()}" if options.includes else PACKAGE / "cmake")
    return 0


def include_folder() -> Path:
    """The folder that holds storeprof/profile.hpp: in the installed package, or in the source tree.

    Raises UsageError when there is none.
    """
    for folder in (PACKAGE / "include", PACKAGE.parents[1] / "include"):
        if (folder / "storeprof" / "profile.hpp").is_file():
            return folder
    raise UsageError(f"{PACKAGE}: the header storeprof/profile.hpp is missing; install storeprof again")
