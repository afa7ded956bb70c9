"""py-spy's stacks -> cpu_samples: where threads that the observer saw running were, around that time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from storeprof.collect.py_spy import RATE_HZ, PySpy, PySpyStack
from storeprof.errors import CollectorError
from storeprof.observe.modules import is_library, module_name
from storeprof.recording.journal import Journal
from storeprof.recording.schema import JournalTable
from storeprof.recording.tables import Columns, first_free, integers, joined, null_where, strings
from storeprof.session.python_fallback import PY_SPY_TRACE
from storeprof.session.tabulate import Identities, last_lines

Array = np.ndarray[Any, Any]

SOURCE = "py-spy"
HALF_PERIOD_NS = 500_000_000 // RATE_HZ  # a change was seen half a period after it happened, in the middle
LARGEST_STACK = 256 << 20


def add_py_spy_tables(
    folder: Path, meta: dict[str, Any], journal: Journal, ids: Identities, tables: dict[str, Columns]
) -> dict[str, Columns]:
    """The tables with py-spy's rows added; in its threads they stand in for perf's, which know no Python names.

    A trace that can't be read becomes a reason in `meta`.
    """
    row = next((row for row in meta.get("collectors") or [] if row["name"] == SOURCE and row["ran"]), None)
    if row is None:
        return tables
    try:
        spied = PySpy().parse((folder / PY_SPY_TRACE).read_text(encoding="utf-8"))
    except (CollectorError, OSError) as error:
        row.update(ran=False, reason=str(error), remedy="record again; see raw/py-spy.stderr")
        return tables
    samples, numbered = _samples(spied, row["started_ns"], journal)
    frames, stacks = _frames_and_stacks(numbered, tables)
    covered = np.unique(ids.threads(samples["thread"]))
    others = ~np.isin(_column(tables, "cpu_samples", "thread_id"), covered)
    perf = {name: values[others] for name, values in tables.get("cpu_samples", {}).items()}
    mine = {
        "t_ns": samples["t_ns"],
        "thread_id": ids.threads(samples["thread"]),
        "weight_ns": samples["weight_ns"],
        "stack_id": stacks["leaf_of"][samples["stack"]],
        "source": strings([SOURCE] * len(samples["t_ns"])),
    }
    row["samples"] = len(samples["t_ns"])
    return {
        **tables,
        "frames": joined(tables["frames"], frames),
        "stacks": joined(tables["stacks"], {name: stacks[name] for name in ("stack_id", "parent_id", "frame_id")}),
        "cpu_samples": joined(perf, mine) if perf else mine,
    }


def _column(tables: dict[str, Columns], table: str, name: str) -> Array:
    return tables[table][name] if table in tables else np.zeros(0, dtype=np.int64)


def _samples(
    spied: list[PySpyStack], started_ns: int, journal: Journal
) -> tuple[dict[str, Array], list[tuple[tuple[str, str, int], ...]]]:
    """One row for each look at a running thread whose stack is known then; `stack` is an index of the second result."""
    looks = journal.packed[JournalTable.LOOKS]
    running = looks[(looks["state"] == ord("R")) | (looks["syscall"] == -2)]
    numbers: dict[tuple[tuple[str, str, int], ...], int] = {}
    parts: list[dict[str, Array]] = []
    for thread, stacks in _threads(spied, looks, journal).items():
        mine = running[running["thread"] == thread]
        seen_ns = mine["t_ns"].astype(np.int64) + HALF_PERIOD_NS
        start = np.array([started_ns + stack.start_us * 1000 for stack in stacks], dtype=np.int64)
        end = np.array([started_ns + stack.end_us * 1000 for stack in stacks], dtype=np.int64)
        index = np.array([numbers.setdefault(stack.frames, len(numbers)) for stack in stacks], dtype=np.int64)
        at = np.maximum(np.searchsorted(start, seen_ns, side="right") - 1, 0)
        known = (seen_ns >= start[at]) & (seen_ns <= end[at] + 2 * HALF_PERIOD_NS)
        parts.append(
            {
                "t_ns": mine["t_ns"][known].astype(np.int64),
                "thread": mine["thread"][known].astype(np.int64),
                "weight_ns": mine["weight_ns"][known].astype(np.int64),
                "stack": index[at[known]],
            }
        )
    empty = np.zeros(0, dtype=np.int64)
    names = ("t_ns", "thread", "weight_ns", "stack")
    return {name: np.concatenate([empty, *(part[name] for part in parts)]) for name in names}, list(numbers)


def _threads(spied: list[PySpyStack], looks: Array, journal: Journal) -> dict[int, list[PySpyStack]]:
    """The observer's thread numbers and py-spy's stacks of each, in order of time.

    py-spy knows a thread by the address of its pthread, which lies at the top of its stack: it is that of the thread
    whose stack pointer is next below it. A thread that never blocked has shown no stack pointer: what is left on both
    sides is paired in order, as stacks are given out downwards.
    """
    rows = last_lines(journal, JournalTable.THREADS, "thread")
    processes = last_lines(journal, JournalTable.PROCESSES, "process")
    by_address: dict[int, list[PySpyStack]] = {}
    for stack in spied:
        by_address.setdefault(stack.thread, []).append(stack)
    main = [number for number, row in rows.items() if row["tid"] == processes.get(row["process"], {}).get("pid")]
    found: dict[int, list[PySpyStack]] = {}
    for address, stacks in by_address.items():
        if stacks[0].name == "MainThread" and main:
            found[main[-1]] = stacks
            continue
        pointers = looks[(looks["stack_pointer"] < address) & (looks["stack_pointer"] + LARGEST_STACK > address)]
        pointers = pointers[~np.isin(pointers["thread"], main)]
        if len(pointers):
            found[int(pointers["thread"][np.argmax(pointers["stack_pointer"])])] = stacks
    taken = {stacks[0].thread for stacks in found.values()}
    left = sorted((address for address in by_address if address not in taken), reverse=True)
    free = sorted(number for number in rows if number not in found and number not in main)
    if len(left) == len(free):
        found |= {number: by_address[address] for number, address in zip(free, left, strict=True)}
    return found


def _frames_and_stacks(
    spied: list[tuple[tuple[str, str, int], ...]], tables: dict[str, Columns]
) -> tuple[Columns, Columns]:
    """Rows of `frames` and `stacks`, numbered on from those there are; `leaf_of` says the stack of each one spied."""
    first_frame, first_stack = first_free(tables["frames"]["frame_id"]), first_free(tables["stacks"]["stack_id"])
    frames: dict[tuple[str, str, int], int] = {}
    stacks: dict[tuple[int, int], int] = {}
    leaves = []
    for stack in spied:
        at = -1
        for frame in reversed(stack):
            at = stacks.setdefault((at, frames.setdefault(frame, len(frames))), len(stacks))
        leaves.append(at + first_stack)
    pairs = np.array(list(stacks), dtype=np.int64).reshape(-1, 2)
    return {
        "frame_id": np.arange(len(frames), dtype=np.int64) + first_frame,
        "kind": strings(["python"] * len(frames)),
        "function": strings([function for function, _, _ in frames]),
        "module": strings([module_name(file) for _, file, _ in frames]),
        "file": strings([file for _, file, _ in frames]),
        "line": integers([line or None for _, _, line in frames]),
        "library": np.array([is_library(file) for _, file, _ in frames], dtype=bool),
    }, {
        "stack_id": np.arange(len(stacks), dtype=np.int64) + first_stack,
        "parent_id": null_where(pairs[:, 0] + first_stack, pairs[:, 0] < 0),
        "frame_id": pairs[:, 1] + first_frame,
        "leaf_of": np.array(leaves, dtype=np.int64),
    }
