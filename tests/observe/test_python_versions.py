"""Python stacks on every installed version: what they say, and when they are refused."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rows import ALL, COLLECTS_GARBAGE, HOLDS_GIL, LOOKS, NONE, PROGRAMS, SUPPORTED, Rows, observed, until

from storeprof.observe import python_offsets
from storeprof.observe._observer import Sampler
from storeprof.observe.python_runtime import find_runtime

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from python_offsets import ROWS, generate, headers

NESTED, PIPELINE = PROGRAMS / "observe_nested.py", PROGRAMS / "observe_pipeline.py"
# A runtime as a version of Python would export it, made of what the test puts into its first words.
FORGED = """
#include <stdint.h>
#include <unistd.h>
uint64_t _PyRuntime[4096] = {%s};
uint64_t PyCode_Type[64];
int main(void) { char c; return (int)read(0, &c, 1); }
"""
COOKIE = int.from_bytes(b"xdebugpy", "little")


def line_of(name: str) -> int:
    """Line of the program that is marked with a name."""
    lines = NESTED.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.endswith(f"# LINE {name}"))


@pytest.fixture(scope="module", params=SUPPORTED)
def nested(request: pytest.FixtureRequest) -> Rows:
    """Looks at the program with nested calls, under each supported version."""
    rows = Rows()
    with observed([request.param, str(NESTED)], mean_interval_ns=2_000_000, cpu_budget=0.3) as (process, sampler):
        assert process.stdout is not None
        process.stdout.readline()
        before = sampler.stats()["rounds"]
        until(lambda: sampler.stats()["rounds"] >= before + 150)
        sampler.stop()
        rows.take(sampler)
    return rows


def test_nested_calls_and_lines(nested: Rows) -> None:
    """Methods, nested functions and comprehensions appear by their qualified names, with the lines they stand at."""
    stacks = [nested.places(int(stack)) for stack in np.unique(nested.packed(LOOKS)["py_stack"]) if stack != NONE]
    found = next(stack for stack in stacks if stack[0][0] == "Store.flush.<locals>.sync")
    assert found[:2] == [("Store.flush.<locals>.sync", line_of("sync")), ("Store.flush", line_of("flush"))]
    names = [name for name, _ in found if "<listcomp>" not in name]  # inlined from 3.12 on
    assert names[:4] == ["Store.flush.<locals>.sync", "Store.flush", "Store.append", "Store.write"]


def test_generators(nested: Rows) -> None:
    """A generator appears above the one that delegates to it and above whoever asked for its next value."""
    stacks = [nested.places(int(stack)) for stack in np.unique(nested.packed(LOOKS)["py_stack"]) if stack != NONE]
    wanted = [(name, line_of(name)) for name in ("produce", "delegate", "consume")]
    assert wanted in [stack[:3] for stack in stacks]


@pytest.mark.parametrize("python", SUPPORTED)
def test_quick_generators_are_read_whole(python: str) -> None:
    """Where generators ask each other thousands of times a second, no stage is left out or stands for others."""
    rows = Rows()
    with observed([python, str(PIPELINE)], mean_interval_ns=2_000_000, cpu_budget=0.5) as (process, sampler):
        assert process.stdout is not None
        process.stdout.readline()
        until(lambda: sampler.stats()["looks"] >= 400)
        sampler.stop()
        rows.take(sampler)
    looks = rows.packed(LOOKS)[50:]
    stacks = [rows.functions(int(stack)) for stack in looks["py_stack"] if stack != NONE]
    callers = Counter(next(name for name in stack if name != "work") for stack in stacks if stack)
    assert len(stacks) >= 0.9 * len(looks)
    assert all(0.1 < callers[name] / len(stacks) < 0.45 for name in ("source", "first", "second", "third")), callers


def test_names_that_are_not_ascii(nested: Rows) -> None:
    """A function's name may be any identifier."""
    stacks = [nested.places(int(stack)) for stack in np.unique(nested.packed(LOOKS)["py_stack"]) if stack != NONE]
    assert ("größe", line_of("größe")) in [stack[0] for stack in stacks]


def test_garbage_collection_is_flagged(nested: Rows) -> None:
    """A thread that collects garbage all the time is seen doing so, and no other thread is."""
    looks = nested.packed(LOOKS)
    inside = [stack != NONE and "collect" in nested.functions(int(stack)) for stack in looks["py_stack"]]
    collector = np.bincount(looks["thread"][inside]).argmax()
    since = looks[looks["t_ns"] >= looks["t_ns"][inside][0]]  # before, the main thread collected while it imported
    collecting = since[since["flags"] & COLLECTS_GARBAGE != 0]
    assert collecting["weight_ns"].sum() > 0.5 * since["weight_ns"][since["thread"] == collector].sum()
    assert set(collecting["thread"]) == {collector}
    assert (collecting["flags"] & HOLDS_GIL != 0).all()


@pytest.mark.parametrize("python", SUPPORTED)
def test_offsets_are_those_of_the_headers(python: str) -> None:
    """The rows are what each version's own internal headers say (those of another of its kind if it has none)."""
    version, folder = headers(python)
    known = {**python_offsets.STATIC_ROWS, **python_offsets.DEBUG_ROWS}[version]
    assert version in ROWS
    if (folder / "internal" / "pycore_frame.h").exists():
        assert generate(version, folder) == list(known.values())
    else:
        assert [1 for other in SUPPORTED if ALL[other] == version and other != python]


MISLEADING = (
    *("thread_next", "thread_interp", "thread_frame", "thread_native_id", "thread_chunk", "gil_locked"),
    *("frame_previous", "frame_owner", "frame_code", "frame_instruction", "code_qualname", "code_linetable"),
    *("str_length", "str_state", "str_ascii", "interp_threads", "runtime_interpreters"),
)


@pytest.mark.parametrize("python", [python for python in SUPPORTED if ALL[python] in python_offsets.STATIC_ROWS])
def test_a_wrong_row_is_refused(python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one offset off by a word the interpreter is refused with what does not fit, and no look has a stack."""
    good = python_offsets.STATIC_ROWS[ALL[python]]
    with subprocess.Popen([python, str(NESTED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert find_runtime(process.pid)[0] == "attached"
        for field in MISLEADING:
            monkeypatch.setitem(python_offsets.STATIC_ROWS, ALL[python], {**good, field: good[field] + 8})
            status, _, why, *_ = find_runtime(process.pid)
            assert status != "attached", field
            assert why
        sampler = Sampler(process.pid)
        sampler.start()
        until(lambda: sampler.stats()["python"]["status"] == "refused" and sampler.stats()["looks"] > 50)
        assert "does not lie in memory as its version should" in sampler.stats()["python"]["why"]
        sampler.stop()
        rows = Rows()
        rows.take(sampler)
        assert (rows.packed(LOOKS)["py_stack"] == NONE).all()
        process.kill()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([COOKIE, 0x030D00F0, 1], "free-threaded builds of Python 3.13 are not supported"),
        ([COOKIE, 0x030E00F0, 0], "Python 3.14 is not supported"),
        ([COOKIE, 0x030D00F0, 0], "offset table makes no sense"),
        ([COOKIE, 0x030D00F0, 0, *([1 << 40] * 70)], "offset table makes no sense"),
        ([], "Python 3.10 or older is not supported"),
    ],
)
def test_runtimes_of_other_kinds_are_refused(tmp_path: Path, words: list[int], why: str) -> None:
    """Free-threaded builds, later versions and tables of nonsense are refused with the reason, and looked at."""
    source, program = tmp_path / "forged.c", tmp_path / "forged"
    source.write_text(FORGED % ", ".join(f"{word}u" for word in words or [0]))
    subprocess.run(["cc", "-rdynamic", str(source), "-o", str(program)], check=True)
    with observed([str(program)]) as (_, sampler):
        until(lambda: sampler.stats()["python"]["status"] == "refused")
        assert why in sampler.stats()["python"]["why"]
        until(lambda: sampler.stats()["looks"] > 5)
