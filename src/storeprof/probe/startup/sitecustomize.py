"""What a launched Python program runs before its first line when functions were named with `--operation`.

Standard library only, and of a syntax that Python 3.7 reads: the program may run under any. Whatever fails in
here, the program runs as if this file were not there (docs/decisions/0008-operations-without-probes.md).
"""

from __future__ import annotations

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(FOLDER)))
NAMES, REPORT, PATH_BEFORE = "STOREPROF_OPERATIONS", "STOREPROF_OPERATIONS_REPORT", "STOREPROF_PYTHONPATH"


def restored_environment() -> tuple[list[str], str]:
    """Put PYTHONPATH and sys.path back to what they are without storeprof; return what was asked for."""
    names, report = os.environ.pop(NAMES, ""), os.environ.pop(REPORT, "")
    before = os.environ.pop(PATH_BEFORE, "")
    if before:
        os.environ["PYTHONPATH"] = before
    else:
        os.environ.pop("PYTHONPATH", None)
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != FOLDER]
    sys.path_importer_cache.pop(FOLDER, None)
    return [name for name in names.split(",") if name], report


def watch(names: list[str], report: str) -> None:
    """Have the named functions wrapped once they are defined; say in `report` why not where that can't be."""
    sys.path.append(PACKAGE_ROOT)  # at the end: a storeprof of the program's own goes first
    try:
        from storeprof.probe.named_operations import watch as watch_names
    except ImportError as error:
        version = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"
        tell(report, version, f"the probe can't be loaded under the program's Python, {version} ({error})")
    else:
        watch_names(names, report)
    finally:
        sys.path.remove(PACKAGE_ROOT)


def tell(report: str, version: str, why: str) -> None:
    """One line of the report: the program's Python, and why nothing is timed."""
    import json

    with open(report, "a") as file:
        file.write(json.dumps({"python": version, "why": why}) + "\n")


asked, report_file = restored_environment()
try:
    if asked:
        watch(asked, report_file)
except Exception:
    pass

# The program's own sitecustomize, if it has one; without one, the same ImportError that site expects.
del sys.modules["sitecustomize"]
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401
