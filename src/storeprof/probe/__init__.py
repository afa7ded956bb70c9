"""The probe: what a program under study imports. Standard library only.

Nearly everything comes straight from the extension: a Python function in front of a scope would cost more than the
scope. The types and docstrings are in `_recorder.pyi`.
"""

import os

from storeprof.probe import _floors
from storeprof.probe._recorder import (
    profile_function,
    profile_memory_alloc,
    profile_memory_dealloc,
    profile_operation,
    profile_scope,
)
from storeprof.probe.instrument import instrument

__all__ = [
    "instrument",
    "profile_function",
    "profile_memory_alloc",
    "profile_memory_dealloc",
    "profile_operation",
    "profile_scope",
]

if os.environ.get("STOREPROF_RECORD") == "1":
    _floors.measure()
