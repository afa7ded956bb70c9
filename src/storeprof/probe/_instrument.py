"""Probes on all functions of modules, without touching their source; taken off again where they cost too much."""

import sys
import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from types import FunctionType, ModuleType
from typing import Any

from storeprof.probe import _functions, _recorder
from storeprof.probe._after_import import AfterImport

DETACHED = b"storeprof:detached"  # in place of a file (docs/formats/shared-memory.md)
RELIEF_EVERY_S = 0.05


class _Probe:
    """A function in its place, and the profiled one that stands there now."""

    def __init__(self, owner: Any, attribute: str, original: Any, wrapped: Any, name: str) -> None:
        self._owner = owner
        self._attribute = attribute
        self._original = original
        self._function: Any = getattr(wrapped, "__func__", wrapped)
        if isinstance(wrapped, property):
            self._function = wrapped.fget
        self.name = name
        self._calls_before = 0

    def calls(self) -> int:
        """Calls since this was asked the last time."""
        now = self._function.__profiled_calls__
        before, self._calls_before = self._calls_before, now
        return int(now - before)

    def put_back(self) -> None:
        """The original in its place again; who kept the profiled one calls straight through it."""
        setattr(self._owner, self._attribute, self._original)
        _recorder.detach(self._function)
        _recorder.new_function(_nothing, _functions.utf8(self.name), DETACHED, 0, False)  # its name is how it is told


def _nothing() -> None:
    pass


class Instrumented:
    """All probes that `instrument` has put in, by what is asked for."""

    def __init__(self) -> None:
        self._probes: list[_Probe] = []
        self._relieved = 0.0

    def module(self, module: ModuleType, include: Iterable[str], exclude: Iterable[str]) -> list[str]:
        """Put a probe on each function, method and property defined in a module; their names."""
        if not self._probes:
            _recorder.when_over_budget(self.relieve)
        found: list[str] = []
        written = _functions.module_name(module.__name__, getattr(module, "__file__", None))
        for owner, path, value in _defined(module, module, ()):
            name = ".".join(path)
            if any(fnmatchcase(name, one) for one in include) and not any(fnmatchcase(name, one) for one in exclude):
                wrapped = _wrapped(value)
                if wrapped is not None:
                    setattr(owner, path[-1], wrapped)
                    self._probes.append(_Probe(owner, path[-1], value, wrapped, f"{written}.{name}"))
                    found.append(f"{written}.{name}")
        return found

    def relieve(self) -> None:
        """Take the probe that is called most off; called when counting alone costs more than the budget."""
        now = time.monotonic()
        if now - self._relieved < RELIEF_EVERY_S or not self._probes:
            return
        self._relieved = now
        calls = [(one.calls(), one) for one in self._probes]
        most, dearest = max(calls, key=lambda pair: pair[0])
        if most:
            self._probes.remove(dearest)
            dearest.put_back()


def _defined(module: ModuleType, owner: Any, path: tuple[str, ...]) -> Iterable[tuple[Any, tuple[str, ...], Any]]:
    """(owner, path, value) of what a module defines itself, in classes as well."""
    for name, value in list(vars(owner).items()):
        inside = (*path, name)
        if isinstance(value, type):
            # Not what was imported, nor a class that is reached a second time by another name.
            if value.__module__ == module.__name__ and value.__qualname__ == ".".join(inside):
                yield from _defined(module, value, inside)
            continue
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isinstance(function, FunctionType) and function.__module__ == module.__name__ and not _is_protocol(name):
            yield owner, inside, value


def _is_protocol(name: str) -> bool:
    """Special methods run where nobody expects a call, in the middle of comparisons and of the end of objects."""
    return (
        name.startswith("__") and name.endswith("__") and name not in ("__init__", "__call__", "__enter__", "__exit__")
    )


def _wrapped(value: Any) -> Any:
    if isinstance(value, property):
        return property(_functions.wrap(value.fget, None, False), value.fset, value.fdel, value.__doc__)
    return _functions.wrap(value, None, False)


_instrumented = Instrumented()


def instrument(module: str | ModuleType, include: str | Iterable[str], exclude: str | Iterable[str]) -> list[str]:
    """See `storeprof.instrument`."""
    if not isinstance(module, str | ModuleType):
        raise TypeError(f"instrument needs a module or its name (str), not {type(module).__name__}")
    chosen = tuple([one] if isinstance(one, str) else list(one) for one in (include, exclude))
    if isinstance(module, ModuleType):
        return _instrumented.module(module, *chosen)
    found: list[str] = []
    instrument_matching(module, lambda one: found.extend(_instrumented.module(one, *chosen)))
    return list(found)


def instrument_all(module: ModuleType, first: str = "*") -> list[str]:
    """As `instrument` does it with one module: the names of what was instrumented.

    `first`: only this function or class of it.
    """
    return _instrumented.module(module, [first, f"{first}.*"], ())


def instrument_matching(pattern: str, instrument_one: Callable[[ModuleType], object]) -> None:
    """Call it for each module that matches: those that are imported now, then others when they are."""
    loaded = [one for name, one in list(sys.modules.items()) if matches(name, pattern) and isinstance(one, ModuleType)]
    sys.meta_path.insert(0, AfterImport(lambda name: matches(name, pattern), instrument_one))
    for one in loaded:
        instrument_one(one)


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern means a module: `package.*` is the package itself, too."""
    return fnmatchcase(name, pattern) or (pattern.endswith(".*") and fnmatchcase(name, pattern[:-2]))
