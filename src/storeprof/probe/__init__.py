"""The probe: what a program under study imports. Standard library only.

Nearly everything comes straight from the extension: a Python function in front of a scope would cost more than the
scope. The types and docstrings are in `_recorder.pyi`. Where there is no recorder, probes do nothing.
"""

from __future__ import annotations as _annotations

import os
import sys

from storeprof.probe._locks import Condition, Lock, RLock, name_lock

if sys.platform == "linux":
    from storeprof.probe._recorder import (
        profile_function,
        profile_memory_alloc,
        profile_memory_dealloc,
        profile_operation,
        profile_scope,
    )
else:
    from storeprof.probe.without_recorder import (
        profile_function,
        profile_memory_alloc,
        profile_memory_dealloc,
        profile_operation,
        profile_scope,
    )

TYPE_CHECKING = False  # importing it, or what is below it, would take longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable as _Iterable
    from types import ModuleType as _ModuleType

__all__ = [
    "Condition",
    "Lock",
    "RLock",
    "instrument",
    "name_lock",
    "profile_function",
    "profile_memory_alloc",
    "profile_memory_dealloc",
    "profile_operation",
    "profile_scope",
]


def instrument(
    module: str | _ModuleType, *, include: str | _Iterable[str] = "*", exclude: str | _Iterable[str] = ()
) -> list[str]:
    """Time all functions of a module, or of all modules that match a pattern, without touching their source.

    `module`: a module, its dotted name, or a pattern: `package.*` is the package and all below it. What is not imported
    yet is instrumented when it is. `include` and `exclude` are patterns of the functions' names within the module:
    `Store.*`, `*_unchecked`. Functions, methods, static and class methods and properties that the module defines are
    meant; special methods other than `__init__`, `__call__`, `__enter__` and `__exit__` are left alone, and so are
    references that others took before. Where probes cost more than the budget, the original of the function that is
    called most is put back, one after the other.

    Returns the names of what was instrumented at once. Raises TypeError for anything but modules and names.
    """
    if sys.platform != "linux":
        return []
    from storeprof.probe import _instrument

    return _instrument.instrument(module, include, exclude)


if sys.platform == "linux" and os.environ.get("STOREPROF_RECORD") == "1":
    from storeprof.probe import _floors

    _floors.measure()
