"""The recording: the one object that every stage of storeprof passes through."""

import sys
from importlib import import_module
from types import ModuleType


class _Callable(ModuleType):
    """`storeprof.recording("out")` is a function of the API, and importing leaves the package under that name.

    So the package can be called. It finds the function by name: importing it would turn the layers upside down.
    """

    def __call__(self, *arguments: object, **named: object) -> object:
        return import_module("storeprof.api.own_process").recording(*arguments, **named)


sys.modules[__name__].__class__ = _Callable
