"""What a main loop calls of a library by itself is a cost; beginnings and the library's own loops are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from contexts import context, rows

from storeprof.analysis.accounting.charges import CPU
from storeprof.analysis.accounting.native_places import without_samples
from storeprof.analysis.accounting.stacks import Stacks
from storeprof.analysis.context import Context
from storeprof.analysis.loop_calls import calls_of_loop
from storeprof.recording.schema import REASONS

MAIN, IN_JSON, IN_LOOP = 0, 1, 2


class Tables:
    """`main` alone, `main > json.loads`, and `main > asyncio.run`, a library's loop."""

    def sql(self, query: str) -> dict[str, np.ndarray[Any, Any]]:
        """Rows of `frames` or `stacks`."""
        names = np.array(["main", "loads", "run"], dtype=object)
        if "FROM frames" in query:
            none, line = np.ma.masked_all(3, dtype=object), np.arange(3) * 10
            return {
                "frame_id": np.arange(3), "kind": np.array(["python"] * 3), "function": names, "module": none,
                "file": names, "line": line, "first_line": line, "binary": none, "library": names != "main",
            }  # fmt: skip
        return {"stack_id": np.arange(3), "parent_id": np.array([-1, 0, 0]), "frame_id": np.arange(3)}


def seen(*stacks: int) -> Context:
    """One thread that is seen at these stacks in turn, through a run of ten seconds."""
    charges = rows((0, CPU, 10_000))
    charges.seen.stack[: len(charges)] = np.resize(np.array(stacks), len(charges))
    known = Stacks(Tables())  # type: ignore[arg-type]
    return replace(context(charges), stacks=known, native=without_samples(1))


def calls(of: Context) -> dict[str, float]:
    """Seconds of each call of `main`."""
    return {name: round(of.seconds(mask), 2) for name, mask in calls_of_loop(of, 0, least_ns=5e8)}


def test_a_librarys_work_in_the_main_loop_is_named_without_the_loop() -> None:
    """The rows are those of the call alone: what the loop does itself stays out."""
    assert calls(seen(MAIN, IN_JSON, MAIN, MAIN)) == {"loads": 2.5}


def test_small_calls_are_left_out() -> None:
    """Below the least time asked for there is no call."""
    assert calls(seen(*[MAIN] * 39, IN_JSON)) == {}


def test_what_is_called_at_the_beginning_only_is_no_cost_of_the_loop() -> None:
    """Imports take their time once."""
    assert calls(seen(*[IN_JSON, MAIN] * 5, *[MAIN] * 30)) == {}


def test_a_loop_of_the_librarys_is_no_call() -> None:
    """What stays on the stack all the time is where the program runs, not what it calls."""
    assert calls(seen(*[IN_LOOP] * 40)) == {}


def test_getting_work_is_no_work() -> None:
    """A library function in which the loop waits for work is left out, however often it polls."""
    polls = seen(MAIN, IN_JSON, MAIN, MAIN)
    reasons = np.where(np.arange(len(polls.looks)) % 8 == 1, REASONS.index("queue-get"), REASONS.index("running"))
    assert calls(replace(polls, looks=replace(polls.looks, reason_code=reasons))) == {}
