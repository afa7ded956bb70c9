"""storeprof: finds the real bottleneck of a storage engine.

Importing this loads the probe and nothing else, with the standard library alone: it is what a program under
study imports. What belongs to the profiler (`open`, `recording` and the classes below) is loaded when it is used.
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

# For type checkers, which know this name; importing it from `typing` would take longer than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from storeprof.api.opened import Recording
    from storeprof.api.opened import open_path as open
    from storeprof.api.own_process import OwnRecording, recording
    from storeprof.api.results import Finding
    from storeprof.errors import StoreprofError

# What `from storeprof import *` brings: the probe alone. The rest loads the profiler; `open` would hide the built-in.
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
if TYPE_CHECKING:
    __all__ += ["Finding", "OwnRecording", "Recording", "StoreprofError", "open", "recording"]

# A constant: asking importlib.metadata would cost the program under study more than the probe.
__version__ = "0.1.0"

# Where a name comes from that is loaded when it is used; `recording` is the package of that name, which can be called.
_LATE = {
    "Finding": ("storeprof.api.results", "Finding"),
    "OwnRecording": ("storeprof.api.own_process", "OwnRecording"),
    "Recording": ("storeprof.api.opened", "Recording"),
    "StoreprofError": ("storeprof.errors", "StoreprofError"),
    "open": ("storeprof.api.opened", "open_path"),
    "recording": ("storeprof.recording", None),
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _LATE[name]
    found = import_module(module)
    return found if attribute is None else getattr(found, attribute)
