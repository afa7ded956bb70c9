"""Several samplers in one journal: each counts from its own first number, the reader makes the numbers unique."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storeprof.recording.journal import Journal, JournalWriter, read_journal
from storeprof.recording.sampler_numbers import KINDS, LINE_NUMBERS, PACKED_NUMBERS, offsets_of
from storeprof.recording.schema import JOURNAL_DTYPES, JSON_TABLES, NONE, JournalTable
from storeprof.session.scope_records import ScopeRecords


def one_sampler(writer: JournalWriter, sampler: int, name: str) -> None:
    """Write one process with one thread, a stack of one frame, a scope, and a look at it all."""
    lines = {
        JournalTable.PROCESSES: {"process": 0, "pid": 100 + sampler, "start_ticks": 1},
        JournalTable.THREADS: {"thread": 0, "process": 0, "tid": 100 + sampler, "start_ticks": 1, "name": name},
        JournalTable.FRAMES: {"frame": 0, "function": name, "file": "x.py", "line": 1, "first_line": 1},
        JournalTable.RESOURCES: {"resource": 0, "name": "/wal"},
        JournalTable.SCOPE_NODES: {"node": 1, "process": 0, "record": 7, "parent": 0, "name": name},
    }
    for table, line in lines.items():
        writer.append(table, json.dumps(line).encode() + b"\n", sampler)
    stack = np.zeros(1, dtype=JOURNAL_DTYPES[JournalTable.STACKS])
    stack["parent"] = NONE
    writer.append(JournalTable.STACKS, stack.tobytes(), sampler)
    look = np.zeros(1, dtype=JOURNAL_DTYPES[JournalTable.LOOKS])
    look["holder"], look["scope_record"], look["t_ns"] = NONE, 7, sampler
    writer.append(JournalTable.LOOKS, look.tobytes(), sampler)


def journal_of(folder: Path, names: list[str]) -> Journal:
    """Read back a journal with one sampler a name."""
    writer = JournalWriter(folder / "journal.bin")
    for sampler, name in enumerate(names):
        one_sampler(writer, sampler, name)
    writer.close()
    return read_journal(folder / "journal.bin")


def test_a_look_leads_to_the_names_of_its_own_sampler(tmp_path: Path) -> None:
    """Thread, stack, frame and scope of each look are those its sampler meant; what is none stays none."""
    names = ["parent", "worker", "encoder"]
    journal = journal_of(tmp_path, names)
    threads = {line["thread"]: line for line in journal.lines[JournalTable.THREADS]}
    frames = {line["frame"]: line["function"] for line in journal.lines[JournalTable.FRAMES]}
    nodes = {line["node"]: line for line in journal.lines[JournalTable.SCOPE_NODES]}
    scopes = ScopeRecords.of(journal)
    stacks = {int(row["stack"]): row for row in journal.packed[JournalTable.STACKS]}
    assert len(threads) == len(frames) == len(nodes) == len(stacks) == 3
    for look, name in zip(journal.packed[JournalTable.LOOKS], names, strict=True):
        assert threads[int(look["thread"])]["name"] == name
        process = threads[int(look["thread"])]["process"]
        node = nodes[int(scopes.of_records(np.array([process]), np.array([look["scope_record"]]))[0])]
        assert node["process"] == process
        stack = stacks[int(look["py_stack"])]
        assert frames[int(stack["frame"])] == name
        assert node["name"] == name
        assert int(stack["parent"]) == int(look["holder"]) == NONE
        assert node["parent"] == 0


def test_a_journal_of_one_sampler_keeps_its_numbers(tmp_path: Path) -> None:
    """The first sampler's numbers are not touched."""
    journal = journal_of(tmp_path, ["alone"])
    assert journal.packed[JournalTable.LOOKS]["thread"].tolist() == [0]
    assert journal.lines[JournalTable.SCOPE_NODES][0]["node"] == 1


def test_every_numbered_column_is_known_to_its_table() -> None:
    """The table of numbers names real columns, and every kind of number is defined by some table."""
    for table, columns in PACKED_NUMBERS.items():
        assert set(columns) <= set(JOURNAL_DTYPES[table].names or ())
    assert set(LINE_NUMBERS) <= JSON_TABLES
    assert {kind for columns in (*PACKED_NUMBERS.values(), *LINE_NUMBERS.values()) for kind in columns.values()} == set(
        KINDS
    )


@given(st.lists(st.fixed_dictionaries({kind: st.integers(0, 1000) for kind in KINDS}), max_size=8))
def test_shifted_ranges_never_meet(counted: list[dict[str, int]]) -> None:
    """Whatever the samplers counted, no two of them share a number afterwards."""
    ends = dict.fromkeys(KINDS, 0)
    for offsets, sizes in zip(offsets_of(counted), counted, strict=True):
        for kind in KINDS:
            assert offsets[kind] == ends[kind]
            ends[kind] += sizes[kind]
