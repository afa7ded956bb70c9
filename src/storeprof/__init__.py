"""storeprof: finds the real bottleneck of a storage engine.

Importing this loads the probe and nothing else, with the standard library alone: it is what a program under
study imports. The profiler itself is the command `storeprof`.
"""

from storeprof.probe import (
    Condition,
    Lock,
    RLock,
    instrument,
    name_lock,
    profile_function,
    profile_memory_alloc,
    profile_memory_dealloc,
    profile_operation,
    profile_scope,
)

__all__ = [
    "Condition",
    "Lock",
    "RLock",
    "__version__",
    "instrument",
    "name_lock",
    "profile_function",
    "profile_memory_alloc",
    "profile_memory_dealloc",
    "profile_operation",
    "profile_scope",
]

# A constant: asking importlib.metadata would cost the program under study more than the probe.
__version__ = "0.1.0"
