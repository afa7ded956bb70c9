"""What programs count in their probes' memory: read once a second, merged over threads (docs/formats/shared-memory.md).

Positions and operations, which need to be quick, are the sampler's; this reads the same memory by itself.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from storeprof.observe.mapped_image import images
from storeprof.observe.probe_gate import ProbeGate
from storeprof.observe.probe_memory import BLOCK_LINES, BUCKETS, NODE_LINES, STAYS, TAG_LINES, ProbeMemory
from storeprof.recording.schema import JOURNAL_DTYPES, JournalTable

Array = np.ndarray[Any, Any]
Frame = tuple[int, bytes]  # journal table, payload
PERIOD_NS = 1_000_000_000
OUTSIDE = 1  # in place of a scope: of a tag's record that counts outside any
MAX_PART = 0xFFFF  # of the count in one histogram row
_NO_MINIMUM = np.iinfo(np.uint64).max


class ProbeTotals:
    """Journal frames of the totals of all probes; `cpu_share` bounds the part of one CPU that reading them may use.

    `probe_budget`: part of its CPU time that a program's probes may take; 0: as much as they like.
    """

    def __init__(self, cpu_share: float, probe_budget: float = 0.0) -> None:
        self._share = cpu_share
        self._budget = probe_budget
        self._numbers = itertools.count(1)
        self._trees: list[_Tree] = []
        self._gates: list[ProbeGate] = []
        self._due_ns = 0

    def put_gates_back(self) -> None:
        """Leave programs that were not started for recording as they were found."""
        for gate in self._gates:
            gate.put_back()

    def follow(self, process: int, fd: int, pid: int) -> None:
        """Read from now on the memory that `fd` stands for (and close it), and let the program `pid` count."""
        memory = ProbeMemory(fd)
        self._trees.append(_Tree(process, memory, self._numbers, pid))
        self._gates.append(ProbeGate(pid, memory.gate_address(), self._budget))
        self._gates[-1].open()
        os.close(fd)
        self._due_ns = 0

    def take(self, last: bool = False) -> list[Frame]:
        """What is new or changed since the last time; at most once a second, unless it is the `last` time."""
        t_ns, before = time.monotonic_ns(), time.thread_time_ns()
        if t_ns < self._due_ns and not last:
            return []
        frames = [frame for tree in self._trees for frame in tree.frames(t_ns)]
        self._due_ns = t_ns + max(PERIOD_NS, int((time.thread_time_ns() - before) / self._share))
        return frames


class _Tree:
    """One process: nodes of its thread blocks merged by (parent, name), and memory tags merged by name."""

    def __init__(self, process: int, memory: ProbeMemory, numbers: Iterator[int], pid: int) -> None:
        self._pid = pid
        self._sites = 0
        self._native_sites = False
        self._images: list[str] = []
        self._process = process
        self._memory = memory
        self._numbers = numbers
        self._header: dict[str, Any] = {}
        self._detached: list[str] = []
        self._locks: dict[str, str] = {}
        self._blocks: dict[int, int] = {}  # line -> slices read
        # Lines of the records -> rows of what they are merged into.
        self._node_rows: dict[int, int] = {0: -1}
        self._tag_rows: dict[int, int] = {}
        self._merged: dict[tuple[int, int], int] = {}  # (row of the parent, name) -> row
        self._tags: dict[tuple[int, int | None], int] = {}  # name, row of the scope (None: all of them) -> row
        # As last written.
        self._counts = np.zeros(0, dtype=JOURNAL_DTYPES[JournalTable.SCOPE_COUNTS])
        self._histograms = np.zeros((0, BUCKETS), dtype=np.uint32)
        self._tag_counts = np.zeros(0, dtype=JOURNAL_DTYPES[JournalTable.MEMORY_TAGS])

    def frames(self, t_ns: int) -> Iterator[Frame]:
        self._memory.refresh()
        header = self._memory.header()
        if header != self._header:  # the cost of a scope is calibrated late
            self._header = header
            yield JournalTable.PROCESSES, _json_lines([{"process": self._process, "probe": True, **header}])
        lines = self._find_records() + self._new_sites()
        detached, locks = self._memory.detached(), self._memory.locks()
        if detached != self._detached:
            self._detached = detached
            line = {"process": self._process, "detached": detached, "detached_ns": t_ns}
            yield JournalTable.PROCESSES, _json_lines([line])
        if locks != self._locks:
            self._locks = locks
            yield JournalTable.PROCESSES, _json_lines([{"process": self._process, "locks": locks}])
        if self._native_sites or not self._images:
            yield from self._mapped()
        if lines:
            yield JournalTable.SCOPE_NODES, _json_lines(lines)
        yield from self._changed_nodes(t_ns)
        yield from self._changed_tags(t_ns)
        yield from self._new_slices(t_ns)

    def _new_sites(self) -> list[dict[str, Any]]:
        """Sites with a name since the last time, entered or not."""
        found = list(self._memory.sites(self._sites))
        self._sites = max([self._sites, *(number for number, *_ in found)])
        self._native_sites = any(file and not file.endswith(".py") for _, _, file, _ in found)
        return [
            {"site": number, "process": self._process, "name": name, "file": file, "line": line}
            for number, name, file, line in found
        ]

    def _mapped(self) -> Iterator[Frame]:
        """Which files the program's code is mapped from: sites that were never entered are found in them."""
        try:
            paths = dict.fromkeys(path for path, _ in images(self._pid) if path.startswith("/"))
        except OSError:
            return
        if paths and list(paths) != self._images:
            self._images = list(paths)
            yield JournalTable.PROCESSES, _json_lines([{"process": self._process, "images": self._images}])

    def _new_slices(self, t_ns: int) -> Iterator[Frame]:
        for block, known in self._blocks.items():
            done, found = self._memory.slices(block, known)
            if len(found):
                rows = np.zeros(len(found), dtype=JOURNAL_DTYPES[JournalTable.PROBE_SLICES])
                rows["t_ns"], rows["process"], rows["block"] = t_ns, self._process, block
                rows["number"] = np.arange(done - len(found), done)
                rows["operations"], rows["counted_only"] = found[:, 0] & 0xFFFFFFFF, found[:, 0] >> 32
                rows["cpu_ns"] = found[:, 1]
                yield JournalTable.PROBE_SLICES, rows.tobytes()
            self._blocks[block] = done

    def _find_records(self) -> list[dict[str, Any]]:
        memory = self._memory
        lines: list[dict[str, Any]] = []
        for block in memory.linked(memory.first_block(), self._blocks, BLOCK_LINES):
            self._blocks[block] = 0
        for block in self._blocks:
            _, first_tag = memory.firsts_of(block)  # before the nodes: those that a tag names are there by then
            first_node, _ = memory.firsts_of(block)
            nodes = list(memory.linked(first_node, self._node_rows, NODE_LINES, next_word=2))
            lines += [self._add_node(line) for line in reversed(nodes)]  # parents come before their children
            tags = list(memory.linked(first_tag, self._tag_rows, TAG_LINES))
            lines += [found for line in tags for found in self._add_tag(line)]
        return lines

    def _add_node(self, line: int) -> dict[str, Any]:
        parent, name = (int(word) for word in self._memory.words[line, :2])
        above = self._node_rows.get(parent, -1)
        row = self._merged.setdefault((above, name), len(self._merged))
        if row == len(self._counts):
            self._counts = np.append(self._counts, np.zeros(1, self._counts.dtype))
            self._counts[row]["process"], self._counts[row]["node"] = self._process, next(self._numbers)
            self._histograms = np.append(self._histograms, np.zeros((1, BUCKETS), np.uint32), axis=0)
        self._node_rows[line] = row
        text, file, source_line = self._memory.name(name)
        # What is counted of a lock is no scope: nobody is ever inside, and it is no operation.
        key, kind = ("stay", {"kind": STAYS[file]}) if file in STAYS else ("node", {})
        return {
            key: int(self._counts[row]["node"]), **kind, "process": self._process, "record": line,
            "parent": int(self._counts[above]["node"]) if above >= 0 else 0,
            "name": text, "file": file, "line": source_line,
        }  # fmt: skip

    def _add_tag(self, line: int) -> Iterator[dict[str, Any]]:
        name, node = int(self._memory.words[line, 1]), int(self._memory.words[line, 12])
        above = {OUTSIDE: -1}.get(node, self._node_rows.get(node, -1)) if node else None
        row = self._tag_rows[line] = self._tags.setdefault((name, above), len(self._tags))
        if row == len(self._tag_counts):
            self._tag_counts = np.append(self._tag_counts, np.zeros(1, self._tag_counts.dtype))
            self._tag_counts[row]["process"], self._tag_counts[row]["tag"] = self._process, row
            found = {"tag": row, "process": self._process, "name": self._memory.name(name)[0]}
            if above is not None:
                found["at"] = int(self._counts[above]["node"]) if above >= 0 else 0
            yield found

    def _changed_nodes(self, t_ns: int) -> Iterator[Frame]:
        lines, rows = _pairs(self._node_rows)
        lines, rows = lines[1:], rows[1:]
        heads = self._memory.quads[lines]
        now = _zeroed(self._counts, ("process", "node"), t_ns)
        np.bitwise_or.at(now["flags"], rows, self._memory.words[lines, 3])
        for column, name in ((2, "count"), (3, "total_ticks"), (4, "self_ticks")):
            np.add.at(now[name], rows, heads[:, column])
        now["min_ticks"] = _NO_MINIMUM
        np.minimum.at(now["min_ticks"], rows, heads[:, 5])
        np.maximum.at(now["max_ticks"], rows, heads[:, 6])
        np.add.at(now["sum_squares_ticks2"], rows, heads[:, 7].view(np.float64))
        changed = np.flatnonzero((now["count"] != self._counts["count"]) | (now["flags"] != self._counts["flags"]))
        if len(changed):
            now["timed"] = self._counts["timed"]
            buckets = self._changed_buckets(t_ns, changed, lines, rows)
            now["timed"][changed] = self._histograms[changed].sum(axis=1, dtype=np.uint64)
            yield JournalTable.SCOPE_HISTOGRAMS, buckets
            yield JournalTable.SCOPE_COUNTS, now[changed].tobytes()
            self._counts = now

    def _changed_buckets(self, t_ns: int, changed: Array, lines: Array, rows: Array) -> bytes:
        of_changed = np.isin(rows, changed)
        buckets = lines[of_changed, np.newaxis] + np.arange(1, NODE_LINES)
        histograms = np.zeros((len(changed), BUCKETS), dtype=np.uint32)
        place = np.searchsorted(changed, rows[of_changed])
        np.add.at(histograms, place, self._memory.words[buckets].reshape(-1, BUCKETS))
        for block in self._blocks:  # after the histograms: a call that moves there meanwhile is not counted twice
            line, newest = self._memory.last_timed(block)
            histograms[changed == self._node_rows.get(line, -1), newest] += 1
        # ... but, until the next time, not at all.
        histograms = np.maximum(histograms, self._histograms[changed])
        added = histograms - self._histograms[changed]
        self._histograms[changed] = histograms
        at, bucket = np.nonzero(added)
        return _histogram_rows(t_ns, self._counts["node"][changed[at]], bucket, added[at, bucket]).tobytes()

    def _changed_tags(self, t_ns: int) -> Iterator[Frame]:
        lines, rows = _pairs(self._tag_rows)
        records = self._memory.quads[lines]
        now = _zeroed(self._tag_counts, ("process", "tag"), t_ns)
        for column, name in enumerate(("allocations", "allocated_bytes", "frees", "freed_bytes"), start=1):
            np.add.at(now[name], rows, records[:, column])
        np.add.at(now["peak_most_bytes"], rows, records[:, 5])
        now["live_bytes"] = (now["allocated_bytes"] - now["freed_bytes"]).astype(np.int64)
        before = self._tag_counts
        changed = (
            (now["allocations"] != before["allocations"]) | (now["frees"] != before["frees"]) | (before["t_ns"] == 0)
        )
        if changed.any():
            yield JournalTable.MEMORY_TAGS, now[changed].tobytes()
            self._tag_counts = now


def _pairs(rows: dict[int, int]) -> tuple[Array, Array]:
    """Lines of records, and the rows they belong to."""
    return np.array(list(rows), dtype=np.int64), np.array(list(rows.values()), dtype=np.int64)


def _zeroed(rows: Array, kept: tuple[str, ...], t_ns: int) -> Array:
    result = np.zeros_like(rows)
    result["t_ns"] = t_ns
    for name in kept:
        result[name] = rows[name]
    return result


def _histogram_rows(t_ns: int, node: Array, bucket: Array, count: Array) -> Array:
    """Rows of table `scope_histograms`: as many for a bucket as its count needs."""
    parts = -(-count.astype(np.int64) // MAX_PART)
    rows = np.zeros(int(parts.sum()), dtype=JOURNAL_DTYPES[JournalTable.SCOPE_HISTOGRAMS])
    rows["t_ns"], rows["count"] = t_ns, MAX_PART
    rows["node"], rows["bucket"] = np.repeat(node, parts), np.repeat(bucket, parts)
    rows["count"][np.cumsum(parts) - 1] = count - (parts - 1) * MAX_PART
    return rows


def _json_lines(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode("utf-8", "replace")
