"""Decorating a function: what is done once per function. The wrapper itself is in the extension."""

from collections.abc import Callable
from types import CodeType
from typing import Any

from storeprof.probe import _recorder
from storeprof.probe._tasks import FLAGS, drive

MAIN = ("__main__", "__mp_main__")  # multiprocessing runs the main program's file once more in a spawned child
MAX_WRAPPERS = 64  # an object that makes up attributes has a __wrapped__ for ever


def wrap(what: Any, name: str | None, operation: bool) -> Any:
    """The callable `what`, timed as `name`, else as `module.qualname`; a static or class method stays one.

    Raises TypeError when it cannot be called.
    """
    if type(what) in (staticmethod, classmethod):  # the binding stays outside, untimed
        return type(what)(wrap(what.__func__, name, operation))
    if not callable(what):
        decorator = "profile_operation" if operation else "profile_function"
        hint = ": put it below @property" if isinstance(what, property) else ""
        raise TypeError(f"{decorator} needs a function or a name (str), not {type(what).__name__}{hint}")
    code = code_of(what)
    file, line = (code.co_filename, code.co_firstlineno) if code else ("", 0)
    written = utf8(name or dotted_name(what, file))
    own = getattr(what, "__code__", None)  # its own: what functools.wraps shows may be driven by something else
    if isinstance(own, CodeType) and own.co_flags & FLAGS:
        return _recorder.new_function(what, written, utf8(file), line, operation, drive)
    return _recorder.new_function(what, written, utf8(file), line, operation)


def utf8(text: str) -> bytes:
    """Bytes; what UTF-8 can't hold (file names of other encodings) is escaped, not refused."""
    return text.encode("utf-8", "backslashreplace")


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """The code object behind a callable, through the wrappers that functools.wraps leaves."""
    for _ in range(MAX_WRAPPERS):
        function = getattr(function, "__wrapped__", function)
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def dotted_name(function: Callable[..., Any], file: str) -> str:
    """`package.module.Class.method`; for `__main__` the stem of its file, the same in every run."""
    qualname = getattr(function, "__qualname__", None)
    if not isinstance(qualname, str):
        qualname = type(function).__qualname__
    module = getattr(function, "__module__", None)
    return f"{module_name(module, file)}.{qualname}" if isinstance(module, str) else qualname


def module_name(module: str, file: str | None) -> str:
    """A module's name; that of the main program is the stem of its file, in spawned children as well."""
    if module in MAIN and file and not file.startswith("<"):  # <stdin>, <string>
        base = file.rpartition("/")[2]
        return base.partition(".")[0] or base
    return module
