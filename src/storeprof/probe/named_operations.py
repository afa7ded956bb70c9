"""Wraps functions by their names once they are defined: the program's side of `record --operation`.

An import hook wraps when the module's own code has run, so that every `from module import function` after that gets
the wrapped one. The main program is not imported; a line trace of its module code alone, which ends with the
definition, waits for it there.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from storeprof.probe import _children, _functions
from storeprof.probe._after_import import AfterImport
from storeprof.probe._instrument import instrument_all, instrument_matching, matches

MOST_CALLS = 500_000  # traced before the main program's definition is given up
INSTRUMENT = "instrument:"  # before a pattern of modules, among the names
CORRECT_IT = "correct the name: MODULE.FUNCTION or MODULE.Class.method"


class Report:
    """Lines of JSON for the recorder (docs/formats/recording.md): one at the start, then one for each name."""

    def __init__(self, path: str) -> None:
        self._path = path

    def say(self, **line: Any) -> None:
        """Append one line; a report that can't be written is no reason to disturb the program."""
        try:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            pass


class NotTimed(Exception):
    """Why a function is not timed, and what would help."""

    def __init__(self, why: str, remedy: str = CORRECT_IT) -> None:
        super().__init__(why)
        self.remedy = remedy


class Names:
    """The functions asked for, and which of them are wrapped."""

    def __init__(self, names: Iterable[str], report: Report) -> None:
        self.pending = set(names)
        self.report = report

    def modules(self) -> set[str]:
        """Modules that a pending name may lie in: `a.b.c` is `b.c` of `a`, or `c` of `a.b`."""
        return {name.rsplit(".", depth)[0] for name in self.pending for depth in range(1, name.count(".") + 1)}

    def wrap_in(self, module: str, namespace: dict[str, Any], recorded: str | None = None) -> None:
        """Wrap what of the pending names a module defines; `recorded`: the module's name in the recording."""
        for name in [one for one in self.pending if one.startswith(module + ".")]:
            path = name[len(module) + 1 :]
            written = f"{recorded or module}.{path}"
            try:
                wrap(namespace, path.split("."), written)
            except NotTimed as error:
                self.report.say(name=name, found=False, why=str(error), remedy=error.remedy)
            except Exception as error:  # the program must not see what goes wrong here
                self.report.say(name=name, found=False, why=f"{name} can't be wrapped ({error})", remedy=CORRECT_IT)
            else:
                self.pending.discard(name)
                self.report.say(name=name, found=True, recorded=written)


def wrap(namespace: dict[str, Any], path: Sequence[str], name: str) -> None:
    """Put the timed function in place of the one at `path` below a module's namespace; NotTimed where that can't be."""
    owner, found = None, namespace.get(path[0])
    for part in path[1:]:
        owner, found = found, _raw_attribute(found, part)
    if found is None:
        raise NotTimed(f"{name.rpartition('.')[0]} has no {path[-1]}")
    function = getattr(found, "__func__", found)
    if isinstance(function, type) or not callable(function):
        raise NotTimed(f"{name} is no function", "name a function or a method")
    timed = _functions.wrap(found, name, True)
    if owner is None:
        namespace[path[0]] = timed
    else:
        setattr(owner, path[-1], timed)


def _raw_attribute(owner: Any, name: str) -> Any:
    """An attribute as it is stored, so that a static or class method stays one; None without it."""
    for one in getattr(owner, "__mro__", (owner,)):
        if name in getattr(one, "__dict__", {}):
            return one.__dict__[name]
    return None


class WrapInMain:
    """A trace function that follows the main program's module code until the names it defines are wrapped."""

    def __init__(self, names: Names, patterns: Sequence[str] = ()) -> None:
        self._names = names
        self._patterns = patterns
        self._calls = 0
        # (what is defined at module level, the module's name as asked for, or the pattern that means it)
        self._wanted: set[tuple[str, str]] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        """A function is called: only the main program's module code is followed, line by line."""
        self._calls += 1
        main = sys.modules.get("__main__")
        if self._wanted:
            if self._calls > MOST_CALLS:
                sys.settrace(None)
        elif main is not None and frame.f_globals is main.__dict__ and frame.f_code.co_name == "<module>":
            self._wanted = self._defined_in(frame)
            if not self._wanted:
                sys.settrace(None)
                return None
            frame.f_trace_lines = True
            return self._line
        return None

    def _defined_in(self, frame: FrameType) -> set[tuple[str, str]]:
        defined = {one.co_name for one in frame.f_code.co_consts if isinstance(one, CodeType)}
        modules = names_of_main(frame.f_globals, frame.f_code.co_filename)
        result = {
            (first, INSTRUMENT + pattern)
            for pattern in self._patterns
            if any(matches(module, pattern) for module in modules)
            for first in defined
            if first.isidentifier()
        }
        for module in modules:
            for name in [one for one in self._names.pending if one.startswith(module + ".")]:
                first = name[len(module) + 1 :].split(".")[0]
                if first in defined:
                    result.add((first, module))
                else:
                    why = f"{module} has no {first}"
                    self._names.report.say(name=name, found=False, why=why, remedy=CORRECT_IT)
        return result

    def _line(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        for first, module in list(self._wanted):
            if callable(frame.f_globals.get(first)) or event == "return":
                self._wanted.discard((first, module))
                if module.startswith(INSTRUMENT):
                    _instrument_one(module.removeprefix(INSTRUMENT), sys.modules["__main__"], self._names.report, first)
                    continue
                recorded = frame.f_code.co_filename.rpartition("/")[2].partition(".")[0]
                self._names.wrap_in(module, frame.f_globals, recorded if recorded.isidentifier() else module)
        if self._wanted:
            return self._line
        sys.settrace(None)
        frame.f_trace = None
        return None


def names_of_main(namespace: dict[str, Any], file: str) -> set[str]:
    """What the main program's module may be called: `__main__`, its file's stem, the name it was run by."""
    stem = file.rpartition("/")[2].partition(".")[0]
    return {"__main__", stem, getattr(namespace.get("__spec__"), "name", None) or stem}


def watch(names: Sequence[str], report_path: str) -> None:
    """Wrap the named functions as soon as each is defined, and all of the modules that a pattern names.

    Children that multiprocessing spawns do the same.
    """
    asked, patterns = begin(names, report_path)
    _children.follow(names)
    if (asked.pending or patterns) and sys.gettrace() is None:
        sys.settrace(WrapInMain(asked, patterns))


def begin(names: Iterable[str], report_path: str) -> tuple[Names, list[str]]:
    """Do so for all modules but the main program's; the names that are still pending, and the patterns."""
    report = Report(report_path)
    patterns = [name.removeprefix(INSTRUMENT) for name in names if name.startswith(INSTRUMENT)]
    asked = Names([name for name in names if not name.startswith(INSTRUMENT)], report)
    report.say(python=f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}", why=None)
    for pattern in patterns:
        _instrument(pattern, report)
    for module in sorted(asked.modules() & set(sys.modules)):
        if module != "__main__":
            asked.wrap_in(module, sys.modules[module].__dict__)
    if asked.pending:
        sys.meta_path.insert(
            0, AfterImport(lambda name: name in asked.modules(), lambda one: asked.wrap_in(one.__name__, one.__dict__))
        )
    return asked, patterns


def wrap_spawned_main(asked: Names, patterns: Iterable[str], main: ModuleType) -> None:
    """Wrap what a spawned child's copy of the main program defines: all of it is there already.

    Its code was run in another module, whose dictionary is copied into `main`; there its functions find each other.
    """
    file = getattr(main, "__file__", None) or ""
    before = dict(main.__dict__)
    modules = names_of_main(main.__dict__, file)
    for module in modules:
        asked.wrap_in(module, main.__dict__, _functions.module_name(main.__name__, file))
    for pattern in patterns:
        if any(matches(module, pattern) for module in modules):
            _instrument_one(pattern, main, asked.report)
    wrapped = {name: main.__dict__[name] for name, value in before.items() if main.__dict__.get(name) is not value}
    for function in [one for one in before.values() if isinstance(one, FunctionType)]:
        if function.__module__ == main.__name__:
            function.__globals__.update(wrapped)


def _instrument(pattern: str, report: Report) -> None:
    def one(module: ModuleType) -> None:
        if module is not sys.modules.get("__main__"):  # which has only begun
            _instrument_one(pattern, module, report)

    instrument_matching(pattern, one)


def _instrument_one(pattern: str, module: ModuleType, report: Report, first: str = "*") -> None:
    try:
        report.say(name=pattern, module=module.__name__, functions=instrument_all(module, first))
    except Exception as error:  # the program must not see what goes wrong here
        report.say(name=pattern, module=module.__name__, functions=[], why=str(error))
