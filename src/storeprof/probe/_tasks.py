"""Generators, coroutines and asynchronous generators, timed from their first step to their last.

What they have open leaves the thread's stack with them while they are suspended and comes back when they go on, so that
scopes of other tasks never get between. Their latency is the whole time; how much of it they were suspended is a scope
of its own inside, `(suspended)`.
"""

from collections.abc import AsyncGenerator, Awaitable, Generator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from storeprof.probe import _recorder

FLAGS = 0x20 | 0x80 | 0x200  # generator, coroutine, asynchronous generator


class _Open:
    """The scopes that one task has open: on the thread's stack while it runs, kept aside while it doesn't."""

    __slots__ = ("_function", "_index", "_kept")

    def __init__(self, function: Any) -> None:
        self._function = function
        self._index = 0
        self._kept: bytes | None = None

    def enter(self) -> None:
        kept = self._kept
        self._index = _recorder.task_enter(self._function) if kept is None else _recorder.task_resume(kept)

    def suspend(self, awaits: bool) -> None:
        self._kept = _recorder.task_suspend(self._index, awaits)

    def leave(self) -> None:
        _recorder.task_leave(self._index)


def drive(function: Any, task: Any) -> Any:
    """What a call of the profiled `function` returned, as an object of the same type whose steps are timed."""
    timed: Any
    if isinstance(task, CoroutineType):
        timed = _coroutine(function, task)
    elif isinstance(task, GeneratorType):
        timed = _generator(_Open(function), task, awaits=False)
    elif isinstance(task, AsyncGeneratorType):
        timed = _async_generator(function, task)
    else:
        return task
    timed.__name__, timed.__qualname__ = task.__name__, task.__qualname__
    return timed


def _generator(scopes: _Open, task: Any, awaits: bool) -> Generator[Any, Any, Any]:
    """Step by step as `yield from` (PEP 380), with the scopes in place during each step."""
    step, value = task.send, None
    scopes.enter()
    try:
        while True:
            try:
                yielded = step(value)
            except StopIteration as stop:
                return stop.value
            scopes.suspend(awaits)
            try:
                value, step = (yield yielded), task.send
            except GeneratorExit:
                scopes.enter()
                task.close()
                raise
            except BaseException as error:
                value, step = error, task.throw
            scopes.enter()
    finally:
        scopes.leave()


class _Awaited:
    """An awaitable of one coroutine; of one step of an asynchronous generator when the scopes outlive it."""

    def __init__(self, scopes: _Open, task: Any, outlived: bool = False) -> None:
        self._scopes, self._task, self._outlived = scopes, task, outlived

    def __await__(self) -> Generator[Any, Any, Any]:
        if not self._outlived:
            return _generator(self._scopes, self._task, awaits=True)
        return self._step()

    def _step(self) -> Generator[Any, Any, Any]:
        steps = _generator(_Within(self._scopes), self._task.__await__(), awaits=True)
        return (yield from steps)


class _Within(_Open):
    """Scopes that stay when the step is over: they are put aside once more, until the next one."""

    __slots__ = ("_scopes",)

    def __init__(self, scopes: _Open) -> None:
        self._scopes = scopes

    def enter(self) -> None:
        self._scopes.enter()

    def suspend(self, awaits: bool) -> None:
        self._scopes.suspend(awaits)

    def leave(self) -> None:
        self._scopes.suspend(False)


async def _coroutine(function: Any, task: Any) -> Any:
    return await _Awaited(_Open(function), task)


async def _async_generator(function: Any, task: Any) -> AsyncGenerator[Any, Any]:
    scopes = _Open(function)
    step: Awaitable[Any] = task.__anext__()
    try:
        while True:
            try:
                item = await _Awaited(scopes, step, outlived=True)
            except StopAsyncIteration:
                return
            try:
                value = yield item
            except GeneratorExit:
                await _Awaited(scopes, task.aclose(), outlived=True)
                raise
            except BaseException as error:
                step = task.athrow(error)
            else:
                step = task.asend(value)
    finally:
        scopes.enter()
        scopes.leave()
