"""The formats that `import` knows, each by what its head looks like. The first that fits is taken.

`rank` orders the files of an incident: those that name processes and see waits go first, so that later ones join them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from storeprof.collect.linux.gprof import is_gprof_head
from storeprof.collect.linux.perf_samples import has_frame, header_event
from storeprof.collect.linux.strace_counts import is_head as is_strace_head
from storeprof.intake import convert_counts, convert_memory, convert_more_stacks, convert_stacks
from storeprof.intake.incident import FileFacts, Incident

Load = Callable[[Iterator[str], Incident, FileFacts], None]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name, how it is loaded, its rank, or why it is refused."""

    name: str
    load: Load | None
    rank: int = 5
    refusal: str | None = None


def recognise(head: Sequence[str]) -> Format | None:
    """The format of a file by its first lines; None when it is none of those known."""
    text = "\n".join(line.rstrip("\r") for line in head)
    for pattern, format_ in _BY_PATTERN:
        if pattern.search(text):
            return format_
    for is_head, format_ in _BY_LINE:  # a table that stands behind what is refused alone, as behind strace's log
        if any(is_head(line) for line in head):
            return format_
    for pattern, format_ in _REFUSALS:
        if pattern.search(text):
            return format_
    return _by_shape(head)


def _by_shape(head: Sequence[str]) -> Format | None:
    """Formats without a title of their own."""
    dtrace = Format("dtrace", convert_more_stacks.load_dtrace, 4)
    if convert_more_stacks.is_dtrace(head):
        return dtrace
    events = _perf_events(head)
    if events:
        return Format("perf script", partial(convert_stacks.load_perf_script, events=events), 2)
    if convert_more_stacks.is_aggregation(head):
        return dtrace
    return Format("collapsed stacks", convert_stacks.load_collapsed, 7) if _is_collapsed(head) else None


def _perf_events(head: Sequence[str]) -> set[str]:
    """Events of the samples in the head, when it is perf's: each header has a blank behind it or a frame."""
    found: set[str] = set()
    lines = [line for line in head if not line.startswith("#")]
    for at, line in enumerate(lines):
        following = lines[at + 1] if at + 1 < len(lines) else ""
        event = header_event(line)
        beside = re.match(r"\s*$|\s*[0-9a-f]{4,16}\s|\s+[0-9a-f]+\s", following + "\n")
        if event and (has_frame(line) or (beside and header_event(following) is None)):
            found.add(event)
    return found


def _is_collapsed(head: Sequence[str]) -> bool:
    lines = [line for line in head[:200] if line.strip() and not line.startswith("#")]
    fits = [line for line in lines if re.fullmatch(r"\S(.*\S)? \d+(\.\d*)?", line.rstrip())]
    stacked = [line for line in fits if ";" in line]
    return bool(lines) and len(fits) >= 0.5 * len(lines) and bool(stacked)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.MULTILINE)


_REFUSALS: Final[tuple[tuple[re.Pattern[str], Format], ...]] = tuple(
    (_pattern(pattern), Format(name, None, refusal=why))
    for pattern, name, why in (
        (
            r"^\*\*\* Sampled system activity",
            "powermetrics",
            "it says how much power the system took, not where a program's time went; import `sample` instead",
        ),
        (
            r"^ *\d\d:\d\d:\d\d(\.\d+)? +\S+ .*\d\.\d{6} W? +\S+$",
            "fs_usage",
            "single calls without stacks; import dtrace's latencies or `sample` instead",
        ),
        (
            r"^==\d+== .*(Memcheck|Massif|Cachegrind|valgrind|LEAK SUMMARY)",
            "valgrind's text",
            "run it again with --xml=yes --xml-file=FILE and import that",
        ),
        (
            r"^ *n\d+: \d+ \(heap allocation functions\)|^Number of snapshots: ",
            "ms_print's text",
            "import the massif.out file itself",
        ),
        (
            r"^(\[pid +\d+\] |\d+ +)?(\d\d:\d\d:\d\d\S* )?[a-z_0-9]+\(.*\)"
            r" += (-?\d+|0x[0-9a-f]+)( E\w+ \(.*\))?( <[\d.]+>)?$",
            "strace's log",
            "single calls; run strace -f -c -w and import its table",
        ),
        (
            r"^==\d+==ERROR: LeakSanitizer",
            "LeakSanitizer",
            "record such a build with storeprof: storeprof record --collect leaks -- COMMAND",
        ),
        (r"^ *Performance counter stats for ", "perf stat", "it has totals without places; import `perf script`"),
        (
            r"^# To display the perf\.data header info|^# Overhead +Command",
            "perf report",
            "import the output of `perf script` on the same perf.data",
        ),
        (
            r'"dhatFileVersion"\s*:',
            "DHAT",
            "run valgrind with --tool=massif and import its file",
        ),
        (
            r"^\*\*\* File .*:$",
            "gprof's annotated source",
            "import the report of `gprof PROGRAM gmon.out` without -A",
        ),
        (
            r"^-- (Metadata|Summary|Function(:file|:object)? summary|Auto-annotated source)"
            r"|^Profile data file '?\S+'? \(creator:",
            "cg_annotate or callgrind_annotate",
            "import the file that it read",
        ),
        (
            r"<Total Memory>|^Allocation metadata$",
            "memray's table or summary",
            "write memray stats FILE.bin, or memray stats --json",
        ),
        (
            r"^ *% +cycles +cycles +calls ",
            "gprof of a processor that counts cycles",
            "import the report of a build for a system with a clock",
        ),
        (
            r"^\s*ncalls\s+tottime\s+percall\s+cumtime",
            "cProfile's text",
            "record the program with storeprof instead: storeprof record -- COMMAND",
        ),
    )
)
_CRASH: Final = Format(
    "a crash report", None, refusal="it has one stack a thread and no time: import `sample` or a spindump"
)
_BY_PATTERN: Final[tuple[tuple[re.Pattern[str], Format], ...]] = (
    (_pattern(r"^(Exception Type|Crashed Thread|Triggered by Thread): |^\{\"app_name\":"), _CRASH),
    (_pattern(r"<valgrindoutput>"), Format("valgrind XML", convert_memory.load_valgrind)),
    (_pattern(r"<trace-query-result"), Format("xctrace XML", convert_more_stacks.load_xctrace, 2)),
    (_pattern(r"<trace-toc"), Format("xctrace table of contents", convert_more_stacks.load_xctrace_toc, 1)),
    (_pattern(r'"total_num_allocations"\s*:'), Format("memray stats", convert_memory.load_memray, 8)),
    (_pattern(r"Total memory allocated:\s*$"), Format("memray stats", convert_memory.load_memray, 8)),
    (
        _pattern(r"^(MOST CALLS TO ALLOCATION FUNCTIONS|PEAK MEMORY CONSUMERS|MEMORY LEAKS|Debuggee command was: )"),
        Format("heaptrack_print", convert_memory.load_heaptrack, 8),
    ),
    (_pattern(r"^#-+\s*\nsnapshot=\d+|^time_unit: "), Format("massif", convert_memory.load_massif, 8)),
    (_pattern(r"^# callgrind format|^events: *\w"), Format("cachegrind", convert_counts.load_cachegrind, 6)),
    (
        _pattern(r"^Data Source: +\w+|^Steps: +\d+ \(.*sampling interval\)"),
        Format("spindump", convert_more_stacks.load_spindump, 0),
    ),
    (
        _pattern(r"^Analysis of sampling .*\bpid \d+\)? every|^Analysis Tool: +\S*/sample\b"),
        Format("sample", convert_stacks.load_sample, 0),
    ),
    (
        _pattern(
            r"^alloc_history Report Version|^ *Call \[\d+\] \[arg=\d+\]: "
            r"|^malloc_history Report Version|^\d+ calls? for [\d,]+ bytes: "
            r"|^(ALLOC|FREE )\s+0x[0-9a-f]+|^Analysis Tool: +\S*/malloc_history\b"
        ),
        Format("malloc_history", convert_memory.load_malloc_history, 4),
    ),
    (
        _pattern(r"^leaks Report Version|: \d+ leaks? for [\d,]+ total leaked bytes"),
        Format("leaks", convert_memory.load_leaks, 3),
    ),
    (
        _pattern(
            r"^Virtual Memory Map of process|^==== .*regions for process|^==== Summary for process"
            r"|^Analysis Tool: +\S*/vmmap|^ReadOnly portion of Libraries: Total="
        ),
        Format("vmmap", convert_memory.load_vmmap, 3),
    ),
    (
        _pattern(r"^All zones: \d+ nodes|^\s*COUNT\s+BYTES\s+AVG\s+CLASS_NAME"),
        Format("heap", convert_memory.load_heap, 3),
    ),
    (
        _pattern(r"Footprint: [\d.]+ [KMG]?B \(\d+ bytes per page\)"),
        Format("footprint", convert_memory.load_footprint, 3),
    ),
    (
        _pattern(r"^[^\t\n]*(Weight|Running Time|Bytes Used|Self \(ms\)|Total Bytes)[^\n]*\t[^\n]*Symbol Names?\s*$"),
        Format("Instruments deep copy", convert_more_stacks.load_deep_copy, 5),
    ),
)
_BY_LINE: Final = (
    (is_strace_head, Format("strace -c", convert_counts.load_strace, 8)),
    (is_gprof_head, Format("gprof", convert_counts.load_gprof, 6)),
)
# What can be named in a message, in the order people meet them.
KNOWN: Final = (
    "sample, heap, vmmap, leaks, malloc_history, footprint, spindump, dtrace, xctrace XML, Instruments deep copy, "
    "gprof, perf script, collapsed stacks, py-spy raw, memray stats, heaptrack_print, valgrind XML, "
    "cachegrind, massif, strace -c"
)
