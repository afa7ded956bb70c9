"""Generators and coroutines: their whole latency, suspended time apart, and a context that follows the task."""

import asyncio
import inspect
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from probe_memory import ROOT, python

import storeprof


@storeprof.profile_function
async def coroutine(value: int) -> int:
    """A coroutine."""
    await asyncio.sleep(0)
    return value


@storeprof.profile_function
def generator(value: int):
    """A generator."""
    got = yield value
    try:
        yield got
    except KeyError:
        yield "caught"
    return "result"


@storeprof.profile_operation("async generator")
async def async_generator(count: int):
    """An asynchronous generator."""
    for number in range(count):
        await asyncio.sleep(0)
        got = yield number
        assert got in (None, "sent")


def test_what_a_call_returns_is_what_it_was() -> None:
    """Types, flags, names, and everything that can be done with them stay what they are."""
    assert inspect.iscoroutinefunction(coroutine) and asyncio.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator) and inspect.isasyncgenfunction(async_generator)
    assert str(inspect.signature(coroutine)) == "(value: int) -> int" and coroutine.__doc__ == "A coroutine."
    made = coroutine(3)
    assert inspect.iscoroutine(made) and made.__qualname__ == "coroutine"
    assert asyncio.run(made) == 3
    with pytest.raises(TypeError, match="coroutine"):
        coroutine()


def test_generators_are_driven_as_without_a_probe() -> None:
    """Sending, throwing, closing, returning and exceptions reach the generator, and its answers the caller."""
    steps = generator(1)
    assert inspect.isgenerator(steps) and steps.__name__ == "generator"
    assert (next(steps), steps.send("sent"), steps.throw(KeyError())) == (1, "sent", "caught")
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    assert stopped.value.value == "result"
    with pytest.raises(ValueError, match="given"):
        generator(1).throw(ValueError("given"))
    closed = generator(1)
    next(closed)
    closed.close()
    assert list(closed) == []

    async def through() -> list[object]:
        steps = async_generator(3)
        found = [await anext(steps), await steps.asend("sent")]
        await steps.aclose()
        return [*found, [one async for one in async_generator(2)]]

    assert asyncio.run(through()) == [0, 1, [0, 1]]


TASKS = """
import asyncio, time
@profile_operation("request")
async def request(n):
    with profile_scope("parse"):
        await lookup(n)
@profile_function("lookup")
async def lookup(n):
    await asyncio.sleep(0.03)
    end = time.thread_time() + 0.002
    while time.thread_time() < end: pass
async def main():
    await asyncio.gather(*(request(n) for n in range(8)))
asyncio.run(main())
@profile_function("numbers")
def numbers():
    with profile_scope("inside"):
        yield from (1, 2, 3)
for _ in numbers(): time.sleep(0.01)
@profile_function("fails")
async def fails(): await asyncio.sleep(0.001); 1 / 0
try: asyncio.run(fails())
except ZeroDivisionError: pass
left = numbers(); next(left); del left
"""


def test_the_context_follows_the_task_and_suspended_time_is_apart() -> None:
    """Eight requests at once: each with its scopes below it; latency is the whole time, own time what it ran."""
    with python(TASKS) as program:
        memory = program.memory()
        (block,) = memory.blocks
    nodes = block.nodes
    per_second = 1e9 if memory.header["clock"] == 2 else None
    path = ("request", "parse", "lookup", "(suspended)")
    assert [nodes[path[:depth]].count for depth in (1, 2, 3, 4)] == [8] * 4
    assert nodes["numbers", "inside", "(suspended)"].count == 4 and nodes["numbers",].count == 2
    assert nodes["fails",].count == 1
    lookup, suspended = nodes[path[:3]], nodes[path]
    assert lookup.total == lookup.own + suspended.total  # what ran, and what waited
    assert suspended.least * 8 <= suspended.total <= lookup.total
    # 2 ms of work each, one after the other; 30 ms of sleep each, side by side.
    assert 0.02 < lookup.own / suspended.total < 0.5
    assert nodes["request",].own < nodes["request",].total / 10
    latencies = [one.duration for one in block.ring if one.path == ("request",)]
    assert len(latencies) == 8 and sum(latencies) == nodes["request",].total
    assert per_second is None or min(latencies) > 0.03 * per_second
    assert block.position == ((), 0) and memory.header["dropped_scopes"] == 0


CHILDREN = """
import multiprocessing, sys, storeprof
@storeprof.profile_function
def work(n): return n * n
def main():
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(work, range(5)))
if __name__ == "__main__":
    main()
"""


def test_every_way_to_start_a_process_counts_in_it(tmp_path: Path) -> None:
    """multiprocessing sends profiled functions to workers made by fork, spawn and forkserver, and they answer."""
    script = tmp_path / "pool.py"
    script.write_text(CHILDREN)
    env = {"PYTHONPATH": str(ROOT / "src"), "STOREPROF_RECORD": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    methods = [name for name in ("fork", "spawn", "forkserver") if name in multiprocessing.get_all_start_methods()]
    assert done.stdout.splitlines() == [f"{method} [0, 1, 4, 9, 16]" for method in methods]
    assert done.stderr == ""


def test_instrument_wraps_what_a_module_defines_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions, methods of every kind and properties of the module itself; patterns choose; later imports as well."""
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "__init__.py").write_text("def top(): return 1\n")
    (tmp_path / "chosen" / "store.py").write_text(
        "from os.path import join\n"
        "class Store:\n"
        "    def __init__(self): self.n = 1\n"
        "    def __hash__(self): return 5\n"
        "    def put(self): return 'put'\n"
        "    @staticmethod\n    def fixed(): return 'fixed'\n"
        "    @classmethod\n    def kind(cls): return cls.__name__\n"
        "    @property\n    def size(self):\n        'The size.'\n        return self.n\n"
        "def unchecked_put(): return 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert storeprof.instrument("chosen.*", exclude="unchecked_*") == []
    import chosen.store as module  # type: ignore[import-not-found]

    store = module.Store()
    assert (store.put(), store.fixed(), store.kind(), store.size) == ("put", "fixed", "Store", 1)
    wrapped = [module.Store.put, module.Store.__init__, module.Store.fixed, sys.modules["chosen"].top]
    assert {type(one).__name__ for one in wrapped} == {"ProfiledFunction"}
    assert module.Store.size.__doc__ == "The size."
    plain = [module.Store.__hash__, module.unchecked_put, module.join]
    assert {type(one).__name__ for one in plain} == {"function"}
    with pytest.raises(TypeError, match="instrument needs a module"):
        storeprof.instrument(3)
