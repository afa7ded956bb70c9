"""Wraps functions by their names once they are defined: the program's side of `record --operation`.

An import hook wraps when the module's own code has run, so that every `from module import function` after that gets
the wrapped one. The main program is not imported; a line trace of its module code alone, which ends with the
definition, waits for it there.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import CodeType, FrameType, ModuleType
from typing import Any

from storeprof.probe import _functions

CO_NOT_PLAIN = 0x20 | 0x80 | 0x200  # generator, coroutine, asynchronous generator
MOST_CALLS = 500_000  # traced before the main program's definition is given up
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
    code = _functions.code_of(function)
    if code is not None and code.co_flags & CO_NOT_PLAIN:
        raise NotTimed(f"{name} is a generator or async: only its creation could be timed", "name a function it calls")
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


class WrapAfterImport:
    """An entry of sys.meta_path that wraps in modules after they were executed, and finds nothing itself."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the other finders give, with a loader that wraps afterwards."""
        if name not in self._names.modules():
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = WrappingLoader(spec.loader, self._names)
                return spec
        return None


class WrappingLoader(Loader):
    """Stands in for a module's loader until the module is executed."""

    def __init__(self, loader: Any, names: Names) -> None:
        self._loader = loader
        self._names = names

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader does it."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Run the module with its own loader in place, then wrap."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._names.wrap_in(module.__name__, module.__dict__)


class WrapInMain:
    """A trace function that follows the main program's module code until the names it defines are wrapped."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._calls = 0
        self._wanted: set[tuple[str, str]] = set()  # (what is defined at module level, the module's name as asked for)

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
        spec = frame.f_globals.get("__spec__")
        stem = frame.f_code.co_filename.rpartition("/")[2].partition(".")[0]
        defined = {one.co_name for one in frame.f_code.co_consts if isinstance(one, CodeType)}
        result = set()
        for module in {"__main__", stem, getattr(spec, "name", None) or stem}:
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
                recorded = frame.f_code.co_filename.rpartition("/")[2].partition(".")[0]
                self._names.wrap_in(module, frame.f_globals, recorded if recorded.isidentifier() else module)
                self._wanted.discard((first, module))
        if self._wanted:
            return self._line
        sys.settrace(None)
        frame.f_trace = None
        return None


def watch(names: Iterable[str], report_path: str) -> None:
    """Wrap the named functions as soon as each is defined."""
    report = Report(report_path)
    asked = Names(names, report)
    report.say(python=f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}", why=None)
    for module in sorted(asked.modules() & set(sys.modules)):
        if module != "__main__":
            asked.wrap_in(module, sys.modules[module].__dict__)
    sys.meta_path.insert(0, WrapAfterImport(asked))
    if sys.gettrace() is None:
        sys.settrace(WrapInMain(asked))
