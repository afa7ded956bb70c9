"""Random programs against a small model: nesting, threads, exceptions, forks, memory tags and locks."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from probe_memory import PRELUDE, Memory, Program, open_memory, read_descriptor

# A program is a list of steps. Each is run by the interpreter below, inside the probe, and by the model.
NAMES = ("a", "b", "c")
LEAVES = st.one_of(
    st.tuples(st.just("alloc"), st.sampled_from(NAMES), st.integers(0, 1000)),
    st.tuples(st.just("free"), st.sampled_from(NAMES), st.integers(0, 1000)),
    st.tuples(st.just("raise")),
)
STEPS = st.recursive(
    LEAVES,
    lambda inside: st.one_of(
        st.tuples(st.sampled_from(("scope", "function", "lock")), st.sampled_from(NAMES), st.lists(inside, max_size=4)),
        st.tuples(st.sampled_from(("thread", "fork", "try")), st.just(""), st.lists(inside, max_size=4)),
    ),
    max_leaves=14,
)
INTERPRETER = """
import json, os, sys, threading
import storeprof
locks = {name: storeprof.RLock(name) for name in "abc"}
class Broken(Exception): pass
def steps(of):
    for step in of: run(*step)
def body(of): steps(of)
functions = {name: profile_function(f"f {name}")(lambda of: steps(of)) for name in "abc"}
parent = os.getpid()
def attempt(of):
    try: steps(of)
    except Broken: pass
def run(kind, name="", of=()):
    if kind == "alloc": profile_memory_alloc(name, of)
    elif kind == "free": profile_memory_dealloc(name, of)
    elif kind == "raise": raise Broken
    elif kind == "scope":
        with profile_scope(name): steps(of)
    elif kind == "function": functions[name](of)
    elif kind == "lock":
        with locks[name]: steps(of)
    elif kind == "try": attempt(of)
    elif kind == "thread":
        thread = threading.Thread(target=attempt, args=(of,)); thread.start(); thread.join()
    elif kind == "fork":
        child = os.fork()
        if child == 0:
            status = 3
            try: attempt(of); status = 0
            finally: os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
attempt(json.loads(sys.stdin.readline()))
"""


class Model:
    """What is counted in the process that runs the steps; children count in memories of their own."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, ...]] = Counter()
        self.tags: Counter[tuple[str, str]] = Counter()
        self.held: set[str] = set()

    def steps(self, of: Any, path: tuple[str, ...]) -> bool:
        """Runs steps; whether they ended without an exception."""
        return all(self.step(*step, path=path) for step in of)

    def step(self, kind: str, name: str = "", of: Any = (), *, path: tuple[str, ...]) -> bool:
        """Runs one."""
        if kind in ("alloc", "free"):
            self.tags[name, kind] += of
            return True
        if kind == "raise":
            return False
        if kind in ("thread", "try"):
            self.steps(of, () if kind == "thread" else path)
            return True
        if kind == "fork":
            return True
        if kind == "lock":
            first = name not in self.held
            self.held.add(name)
            done = self.steps(of, path)
            if first:
                self.held.discard(name)
                self.calls[(*path, f"{name} held")] += 1
            return done
        name = f"f {name}" if kind == "function" else name  # another site, though it had the same name
        inside = path if path[-1:] == (name,) else (*path, name)  # what calls itself directly is one node
        done = self.steps(of, inside)
        self.calls[inside] += 1
        return done


def without_threads_in_locks(of: Any, inside: bool = False) -> Any:
    """Steps in which no thread is started inside a lock: it would wait for ever."""
    return [
        (step[0], step[1], without_threads_in_locks(step[2], inside or step[0] == "lock"))
        if len(step) == 3 and isinstance(step[2], list)
        else step
        for step in of
        if not (inside and step[0] == "thread")
    ]


def counted(of: Any) -> Memory:
    """What the program that runs these steps has in its memory at its end."""
    code = f"{PRELUDE}\n{INTERPRETER}\nhold()\n"
    program = Program([sys.executable, "-c", code], STOREPROF_RECORD="1")
    assert program.process.stdin
    program.process.stdin.write(json.dumps(of) + "\n")
    program.process.stdin.flush()
    with program:
        fd = open_memory(program.process.pid)
        try:
            return read_descriptor(fd)
        finally:
            os.close(fd)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=6).map(without_threads_in_locks))
def test_what_random_programs_count_is_what_the_model_counts(of: Any) -> None:
    """Calls by path, stays at locks and bytes by tag are exact, whatever is nested, raised, forked or threaded."""
    model, memory = Model(), counted(of)
    model.steps(of, ())
    assert memory.counts() == dict(model.calls)
    assert all(block.position == ((), 0) for block in memory.blocks)
    bytes_of: Counter[tuple[str, str]] = Counter()
    for block in memory.blocks:
        for name, tag in block.tags.items():
            bytes_of[name, "alloc"] += tag.allocated
            bytes_of[name, "free"] += tag.freed
        for path, tag in block.tags_here.items():
            bytes_of[path[-1], "here"] += tag.allocated + tag.freed
    for name in NAMES:
        assert [bytes_of[name, kind] for kind in ("alloc", "free")] == [model.tags[name, k] for k in ("alloc", "free")]
        assert bytes_of[name, "here"] == model.tags[name, "alloc"] + model.tags[name, "free"]
