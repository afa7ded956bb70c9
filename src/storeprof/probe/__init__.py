"""The probe: what a program under study imports. Standard library only.

Everything comes straight from the extension: a Python function in front of a scope would cost more than the
scope. The types and docstrings are in `_recorder.pyi`.
"""

import sys

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

__all__ = [
    "profile_function",
    "profile_memory_alloc",
    "profile_memory_dealloc",
    "profile_operation",
    "profile_scope",
]
