"""Doing something to modules as soon as they have been executed, by an entry of sys.meta_path."""

import sys
from collections.abc import Callable
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class AfterImport:
    """An entry of sys.meta_path that calls `then` after each `wanted` module's execution, and finds nothing itself."""

    def __init__(self, wanted: Callable[[str], bool], then: Callable[[ModuleType], object]) -> None:
        self._wanted = wanted
        self.then = then

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the other finders give, with a loader that calls afterwards."""
        if not self._wanted(name):
            return None
        after = sys.meta_path[sys.meta_path.index(self) + 1 :] if self in sys.meta_path else sys.meta_path
        for finder in after:  # those before it were asked already; another of its kind may come later
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _LoaderAndThen(spec.loader, self.then)
                return spec
        return None


class _LoaderAndThen(Loader):
    """Stands in for a module's loader until the module is executed."""

    def __init__(self, loader: Any, then: Callable[[ModuleType], object]) -> None:
        self._loader = loader
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader does it."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Run the module with its own loader in place, then what is to follow."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then(module)
