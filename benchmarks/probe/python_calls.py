"""Costs per call in one interpreter: variants in turn, round by round; prints one JSON object. See probe_cost.py."""

import cProfile
import functools
import importlib
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import floor

import storeprof
from storeprof.probe import _recorder

CALLS = 1000
Timed = Callable[[], float]


def bare(value: int) -> int:
    """The tiny function that is instrumented."""
    return value


def timed(function: Callable[[int], int], calls: int = CALLS) -> float:
    """Nanoseconds a call."""
    rounds = range(calls // 10)
    start = time.perf_counter_ns()
    for _ in rounds:
        function(1), function(1), function(1), function(1), function(1)
        function(1), function(1), function(1), function(1), function(1)
    return (time.perf_counter_ns() - start) / (10 * len(rounds))


def gated(on: bool, function: Callable[[int], int]) -> Timed:
    """With the probe's gate as told."""

    def run() -> float:
        _recorder.gate(on)
        try:
            return timed(function)
        finally:
            _recorder.gate(False)

    return run


def between(start: Callable[[], object], stop: Callable[[], object], calls: int = CALLS) -> Timed:
    """Under a tool that is switched on and off."""

    def run() -> float:
        start()
        try:
            return timed(bare, calls)
        finally:
            stop()

    return run


def by_hand(function: Callable[[int], int]) -> Callable[[int], int]:
    """The decorator that everybody writes: count, total, minimum and maximum."""
    seen = [0, 0, 1 << 62, 0]

    @functools.wraps(function)
    def measured(*args: Any, **keywords: Any) -> int:
        start = time.perf_counter_ns()
        try:
            return function(*args, **keywords)
        finally:
            took = time.perf_counter_ns() - start
            seen[0] += 1
            seen[1] += took
            seen[2], seen[3] = min(seen[2], took), max(seen[3], took)

    return measured


def in_block(block: Callable[[], Any]) -> Callable[[int], int]:
    """The tiny function with a block around its line."""

    def function(value: int) -> int:
        with block():
            return value

    return function


profiled = storeprof.profile_function(bare)
scope = storeprof.profile_scope


def in_scope(value: int) -> int:
    """A scope asked for by name."""
    with scope("block"):
        return value


nothing = floor.Block()


def in_nothing(value: int) -> int:
    """A C context manager that does nothing, kept."""
    with nothing:
        return value


plain_lock, named_lock = threading.Lock(), storeprof.Lock("bench")


def in_plain_lock(value: int) -> int:
    """An ordinary lock that nobody else wants."""
    with plain_lock:
        return value


def in_named_lock(value: int) -> int:
    """The same, counted and timed."""
    with named_lock:
        return value


def storeprof_variants() -> dict[str, Timed]:
    """What is ours, and the floor."""
    return {
        "bare call": lambda: timed(bare),
        "floor: C wrapper that does nothing": lambda: timed(wrapped),
        "@profile_function, on": gated(True, profiled),
        "@profile_function, off": gated(False, profiled),
        "floor: C block that does nothing": lambda: timed(in_nothing),
        "with profile_scope(name), on": gated(True, in_scope),
        "with profile_scope(name), off": gated(False, in_scope),
        "with threading.Lock": gated(True, in_plain_lock),
        "with storeprof.Lock": gated(True, in_named_lock),
    }


wrapped = floor.wrap(bare)


def peers() -> dict[str, Timed]:
    """Other tools, as far as they are installed here."""
    profile = cProfile.Profile()
    found: dict[str, Timed] = {
        "cProfile": between(profile.enable, profile.disable),
        "decorator by hand": lambda: timed(hand),
    }
    for name, variant in PEERS.items():
        try:
            found[name] = variant()
        except ImportError:
            continue
    return found


hand = by_hand(bare)


def viztracer() -> Timed:
    """Collecting only."""
    tracer = importlib.import_module("viztracer").VizTracer(verbose=0, tracer_entries=100_000)
    return between(tracer.start, lambda: (tracer.stop(), tracer.clear()))


def yappi() -> Timed:
    """Wall clock, functions of Python only."""
    module = importlib.import_module("yappi")
    module.set_clock_type("wall")
    return between(lambda: module.start(builtins=False), lambda: (module.stop(), module.clear_stats()))


def line_profiler() -> Timed:
    """Its decorator, called from outside."""
    function = importlib.import_module("line_profiler").LineProfiler()(bare)
    return lambda: timed(function, 100)


def opentelemetry() -> Timed:
    """A span without a processor."""
    tracer = importlib.import_module("opentelemetry.sdk.trace").TracerProvider().get_tracer("cost")
    function = in_block(lambda: tracer.start_as_current_span("block"))
    return lambda: timed(function, 50)


def prometheus() -> Timed:
    """A histogram's decorator."""
    function = importlib.import_module("prometheus_client").Histogram("cost", "cost").time()(bare)
    return lambda: timed(function, 100)


PEERS = {
    "viztracer": viztracer,
    "yappi (wall)": yappi,
    "line_profiler": line_profiler,
    "OpenTelemetry span": opentelemetry,
    "prometheus_client Histogram.time()": prometheus,
}


def main() -> None:
    """Run all variants in turn and print minima and medians above a bare call (of a block: above a bare call, too)."""
    rounds = int(sys.argv[1])
    variants = {**storeprof_variants(), **peers()}
    figures: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            figures[name].append(run())
    least = min(figures["bare call"])
    middle = statistics.median(figures["bare call"])
    result = {
        name: {"min": min(values) - least, "median": statistics.median(values) - middle}
        for name, values in figures.items()
    }
    result["bare call"] = {"min": least, "median": middle}
    assert threading.active_count() >= 1
    print(json.dumps(result))


if __name__ == "__main__":
    main()
