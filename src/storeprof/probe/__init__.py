"""The probe: what a program under study imports. Standard library only.

Nearly everything comes straight from the extension: a Python function in front of a scope would cost more than the
scope. The types and docstrings are in `_recorder.pyi`. Where there is no recorder, probes do nothing.
"""

import os
import sys

if sys.platform == "linux":
    from storeprof.probe import _floors
    from storeprof.probe._recorder import (
        profile_function,
        profile_memory_alloc,
        profile_memory_dealloc,
        profile_operation,
        profile_scope,
    )
    from storeprof.probe.instrument import instrument

    if os.environ.get("STOREPROF_RECORD") == "1":
        _floors.measure()
else:
    from storeprof.probe.without_recorder import (
        instrument,
        profile_function,
        profile_memory_alloc,
        profile_memory_dealloc,
        profile_operation,
        profile_scope,
    )

__all__ = [
    "instrument",
    "profile_function",
    "profile_memory_alloc",
    "profile_memory_dealloc",
    "profile_operation",
    "profile_scope",
]
