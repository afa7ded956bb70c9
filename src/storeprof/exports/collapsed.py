"""Collapsed stacks, as flame graph tools read them: a line for each, `process;thread;frame;frame;… microseconds`."""

from __future__ import annotations

from collections import defaultdict

from storeprof.exports.busy_time import BusyTime


def collapsed(busy: BusyTime) -> bytes:
    """Busy wall time of all threads in microseconds; waits are innermost frames in brackets.

    The count follows the last space of a line, so names may hold spaces; a semicolon in a name becomes a colon.
    """
    sums: dict[str, int] = defaultdict(int)
    for thread, stack, category, _, weight_ns in busy.summed():
        owner = busy.threads[thread]
        names = [f"{owner.process} ({owner.pid})", owner.label]
        names += [frame.name for frame in busy.with_wait(stack, category)]
        sums[";".join(_one_word(name) for name in names)] += weight_ns
    lines = (f"{stack} {round(weight_ns / 1000)}\n" for stack, weight_ns in sorted(sums.items()) if weight_ns >= 500)
    return "".join(lines).encode("utf-8", "replace")


def _one_word(name: str) -> str:
    return " ".join(name.replace(";", ":").split())
