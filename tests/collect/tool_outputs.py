"""The samples of tools' outputs in tests/data: which parser reads each, and figures it must never get wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storeprof.collect.collapsed import parse_collapsed
from storeprof.collect.linux.cachegrind import parse_cachegrind
from storeprof.collect.linux.gprof import parse_gprof
from storeprof.collect.linux.heaptrack_print import parse_heaptrack_print
from storeprof.collect.linux.massif import parse_massif
from storeprof.collect.linux.memray_stats import parse_memray_stats
from storeprof.collect.linux.perf_samples import PerfFile, PerfSample, read_perf_samples
from storeprof.collect.linux.strace_counts import parse_strace_counts
from storeprof.collect.linux.valgrind_xml import parse_valgrind_xml
from storeprof.collect.macos.deep_copy import parse_deep_copy
from storeprof.collect.macos.dtrace import parse_dtrace
from storeprof.collect.macos.footprint import parse_footprint
from storeprof.collect.macos.heap import parse_heap
from storeprof.collect.macos.leaks import parse_leaks
from storeprof.collect.macos.malloc_history import parse_malloc_history
from storeprof.collect.macos.sample import parse_sample
from storeprof.collect.macos.spindump import parse_spindump
from storeprof.collect.macos.vmmap import parse_vmmap
from storeprof.collect.macos.xctrace import TraceExport, TraceRow, backtrace_frames, read_xctrace

DATA = Path(__file__).parents[1] / "data"
Figures = Counter[Hashable]


@dataclass(frozen=True)
class Sample:
    """An output in the tree: its file, what parses it, and its figures by what they are of."""

    file: str
    parse: Callable[[Iterable[str]], Any]
    figures: Callable[[Any], Figures]

    @property
    def text(self) -> str:
        """The whole of it."""
        return (DATA / self.file).read_text(encoding="utf-8")


def lines(text: str) -> list[str]:
    """Lines with their ends, only a line feed being one."""
    pieces = text.split("\n")
    return [piece + "\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _summed(pairs: Iterable[tuple[Hashable, int | float | None]]) -> Figures:
    found: Figures = Counter()
    for key, value in pairs:
        found[key] += value or 0  # type: ignore[assignment]
    return found


def _perf(source: Iterable[str]) -> list[PerfSample]:
    return list(read_perf_samples(source, PerfFile()))


def _xctrace(source: Iterable[str]) -> list[TraceRow]:
    return list(read_xctrace(source, TraceExport()))


def _row(row: TraceRow) -> tuple[Hashable, int]:
    cell = row.cells.get("weight")
    weight = cell.integer() if cell is not None else 1
    return (backtrace_frames(row.cells.get("stack")) or tuple(sorted(row.attributes.items()))), weight or 1


SAMPLES = (
    Sample("gprof/leaky.txt", parse_gprof, lambda r: _summed((n, f.self_s) for n, f in r.functions.items())),
    Sample("strace/counts.txt", parse_strace_counts, lambda r: _summed((c.name, c.calls) for c in r.calls)),
    Sample("memray/stats.txt", parse_memray_stats, lambda r: _summed((s.frames, s.bytes) for s in r.sites)),
    Sample("memray/stats.json", parse_memray_stats, lambda r: _summed((s.frames, s.bytes) for s in r.sites)),
    Sample(
        "heaptrack/report.txt", parse_heaptrack_print, lambda r: _summed(((s.kind, s.frames), s.count) for s in r.sites)
    ),
    Sample("valgrind/memcheck.xml", parse_valgrind_xml, lambda r: _summed((s.frames, s.bytes) for s in r.leaks)),
    Sample("valgrind/cachegrind.out", parse_cachegrind, lambda r: _summed((k, v[0]) for k, v in r.own.items())),
    Sample("valgrind/callgrind.out", parse_cachegrind, lambda r: _summed((k, v[0]) for k, v in r.own.items())),
    Sample("valgrind/massif.out", parse_massif, lambda r: _summed((s.time, s.heap_bytes) for s in r.snapshots)),
    Sample("py_spy/raw.txt", parse_collapsed, lambda r: _summed(((s.thread, s.frames), s.count) for s in r.stacks)),
    Sample("perf_foreign/default-fields.txt", _perf, lambda r: _summed(((s.event, s.frames), s.period) for s in r)),
    Sample(
        "macos/sample.txt",
        parse_sample,
        lambda r: _summed(((t.id, s.frames), s.count) for t in r.threads for s in t.stacks),
    ),
    Sample(
        "macos/spindump.txt",
        parse_spindump,
        lambda r: _summed(((t.id, s.frames), s.count) for p in r.processes for t in p.threads for s in t.stacks),
    ),
    Sample("macos/heap.txt", parse_heap, lambda r: _summed((c.name, c.bytes) for c in r.classes)),
    Sample(
        "macos/vmmap-2.3.txt", parse_vmmap, lambda r: _summed(((x.start, x.name), x.end - x.start) for x in r.regions)
    ),
    Sample("macos/vmmap-2.4.txt", parse_vmmap, lambda r: _summed((x.start, x.dirty_bytes) for x in r.regions)),
    Sample("macos/leaks-2.0.txt", parse_leaks, lambda r: _summed((x.what, x.bytes) for x in r.leaks)),
    Sample("macos/leaks-4.0-tree.txt", parse_leaks, lambda r: _summed((x.kind, x.count) for x in r.leaks)),
    Sample("macos/leaks-4.0-stacks.txt", parse_leaks, lambda r: _summed((x.frames, x.bytes) for x in r.leaks)),
    Sample(
        "macos/malloc_history-by-size.txt",
        parse_malloc_history,
        lambda r: _summed(((s.thread, s.frames), s.bytes) for s in r.sites),
    ),
    Sample("macos/malloc_history-events.txt", parse_malloc_history, lambda r: Counter({"events": r.events})),
    Sample(
        "macos/malloc_history-tree.txt", parse_malloc_history, lambda r: _summed((s.frames, s.count) for s in r.sites)
    ),
    Sample(
        "macos/footprint.txt",
        parse_footprint,
        lambda r: _summed((c.name, c.bytes["dirty"]) for f in r.footprints for c in f.categories),
    ),
    Sample("macos/dtrace-stacks.txt", parse_dtrace, lambda r: _summed((s.frames, s.count) for s in r.stacks)),
    Sample("macos/dtrace-entries.txt", parse_dtrace, lambda r: _summed((s.key, s.value) for s in r.rows)),
    Sample(
        "macos/dtrace-quantize.txt",
        parse_dtrace,
        lambda r: _summed(((s.key, b[0]), b[2]) for s in r.spreads for b in s.buckets),
    ),
    Sample("macos/deep-copy-time.txt", parse_deep_copy, lambda r: _summed((len(n.frames), n.amount) for n in r.nodes)),
    Sample("macos/deep-copy-allocations.txt", parse_deep_copy, lambda r: _summed(("all", n.count) for n in r.nodes)),
    Sample("macos/xctrace-time-profile.xml", _xctrace, lambda r: _summed(map(_row, r))),
    Sample("macos/xctrace-allocations.xml", _xctrace, lambda r: _summed(map(_row, r))),
    Sample("macos/xctrace-leaks.xml", _xctrace, lambda r: _summed(map(_row, r))),
    Sample("macos/xctrace-regions.xml", _xctrace, lambda r: _summed(map(_row, r))),
)
BY_FILE = {one.file: one for one in SAMPLES}


def parsed(file: str) -> Any:
    """The parsed sample of that name."""
    one = BY_FILE[file]
    return one.parse(lines(one.text))
