"""Forms of the formats from other versions and with other options: told by content, with figures known by hand."""

from __future__ import annotations

import bz2
import lzma
from pathlib import Path
from typing import Any

import pytest

from storeprof.analysis.document import analyze
from storeprof.errors import UsageError
from storeprof.intake.importing import import_files
from storeprof.intake.incident import FileFacts
from storeprof.recording.model import Recording, rows_of

VARIANTS = Path(__file__).parents[1] / "data" / "variants"
# file -> format, and figures of the import
KNOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "sample-10.4.txt": ("sample", {"threads": 2, "samples": 496, "interval_ms": 10.0,
                                   "samples_by_state": {"event": 248, "disk": 200, "running": 48}}),
    "sample-go.txt": ("sample", {"samples": 1600, "samples_by_state": {"event": 800, "sleep": 790, "running": 10}}),
    "heap-zones.txt": ("heap", {"nodes": 12, "bytes": 8256, "classes": 3}),
    "heap-blocks.txt": ("heap", {"nodes": 3, "classes": 2}),
    "leaks-3.0.txt": ("leaks", {"leaks": 2, "leaked_bytes": 2096, "stacks": 1}),
    "leaks-list.txt": ("leaks", {"leaks": 2, "leaked_bytes": 80, "stacks": 1}),
    "malloc_history-binaries.txt": ("malloc_history", {"allocations": 1, "bytes": 128, "events": 3}),
    "malloc_history-10.4.txt": ("malloc_history", {"allocations": 1, "bytes": 32}),
    "vmmap-2.2.txt": ("vmmap", {"regions": 2, "total": None}),
    "vmmap-reserved.txt": ("vmmap", {"regions": 0}),
    "dtrace-untitled.txt": ("dtrace", {"aggregations": 2}),
    "dtrace-calls.txt": ("dtrace", {"stacks": 2, "samples": 0, "calls": 300}),
    "dtrace-hot.txt": ("dtrace", {"stacks": 2, "samples": 3092}),
    "dtrace-java.txt": ("dtrace", {"stacks": 2, "samples": 42}),
    "dtrace-cpus.txt": ("dtrace", {"distributions": 1}),
    "perf-no-binaries.txt": ("perf script", {"samples": 2, "cpu_event": "cpu-clock"}),
    "perf-source-lines.txt": ("perf script", {"samples": 2, "cpu_unit": "ns"}),
    "perf-no-events.txt": ("perf script", {"samples": 2, "cpu_event": "samples"}),
    "perf-flat.txt": ("perf script", {"samples": 2, "cpu_event": "cpu-clock"}),
    "callgrind-parts.out": ("callgrind", {"events": {"Ir": 180}, "functions": 3}),
    "callgrind-xdebug.out": ("callgrind", {"events": {"Time_(10ns)": 420, "Memory_(bytes)": 35000}}),
    "strace-columns.txt": ("strace -c", {"calls": 111, "errors": 3, "seconds": 0.000202}),
    "strace-log.txt": ("strace -c", {"calls": 106, "errors": 1, "seconds": 0.004545}),
    "collapsed-fractions.txt": ("collapsed stacks", {"samples": 38.75}),
    "massif-heaptrack.out": ("massif", {"peak_bytes": 105016, "time_unit": "s"}),
}  # fmt: skip


def imported(folder: Path, *files: Path) -> tuple[list[FileFacts], Recording]:
    """What an import said of its files, and the recording."""
    return import_files(list(files), folder), Recording.open(folder)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, FileFacts], Recording]:
    """One recording of all variants together, and what each file gave."""
    facts, recording = imported(tmp_path_factory.mktemp("rec") / "r", *sorted(VARIANTS.iterdir()))
    return {one.name: one for one in facts}, recording


def test_every_variant_is_known() -> None:
    """No file of the folder is without its figures."""
    assert {one.name for one in VARIANTS.iterdir()} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_a_variant_is_read_whole(name: str, everything: tuple[dict[str, FileFacts], Recording]) -> None:
    """Its format is told by its content, its totals are those that were counted by hand, and nothing is missing."""
    found = everything[0][name]
    form, figures = KNOWN[name]
    assert found.format == form and found.cut_short is None
    assert {key: found.figures[key] for key in figures} == figures


def test_figures_of_files_have_the_shape_of_those_of_passes(
    everything: tuple[dict[str, FileFacts], Recording],
) -> None:
    """One query finds what is lost, live and called, with file, figure, unit and place, whoever counted it."""
    rows = rows_of(
        everything[1].sql(
            "SELECT pass, collects, figure, value, unit, function FROM pass_figures WHERE value > 0 AND pass IN "
            "('leaks-3.0.txt', 'heap-blocks.txt', 'strace-log.txt', 'dtrace-untitled.txt', 'vmmap-reserved.txt')"
        )
    )
    found = {(one["pass"], one["figure"], one["unit"], one["function"]): one["value"] for one in rows}
    assert found["leaks-3.0.txt", "never freed", "bytes", "kv::put"] == 2048
    assert found["heap-blocks.txt", "live, by class", "bytes", "CFString"] == 96
    assert found["strace-log.txt", "calls of read", "calls", None] == 106
    assert found["strace-log.txt", "errors of read", "calls", None] == 1
    assert found["dtrace-untitled.txt", "calls", "calls", "kv::Store::put"] == 1234
    assert not any(name == "TOTAL" or (name or "").startswith("TOTAL,") for _, _, _, name in found)


def test_stacks_of_a_probe_on_entries_are_calls_and_no_time(tmp_path: Path) -> None:
    """Where the innermost function of every stack has just begun, its calls were counted: nothing is hot by that."""
    imported(tmp_path / "r", VARIANTS / "dtrace-calls.txt")
    found = analyze(Recording.open(tmp_path / "r"))
    assert (found["verdict"], found["findings"], found["duration_s"]) == ("inconclusive", [], None)


def test_source_lines_belong_to_their_frames(everything: tuple[dict[str, FileFacts], Recording]) -> None:
    """`perf script -F +srcline` gives inlined functions, and each its file and line."""
    rows = rows_of(everything[1].sql("SELECT function, file, line FROM frames WHERE file IN ('codec.h', 'store.cpp')"))
    assert ("kv::Codec<int>::encode", "codec.h", 9) in {(one["function"], one["file"], one["line"]) for one in rows}


def test_levels_of_a_recursion_are_one_function(everything: tuple[dict[str, FileFacts], Recording]) -> None:
    """callgrind's f'2 is f once more."""
    rows = rows_of(everything[1].sql("SELECT function FROM frames WHERE function LIKE 'scan%'"))
    assert [one["function"] for one in rows] == ["scan"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("main;put 274 415\nmain;scan 31 12\n", ":1: collapsed stacks: two counts a stack"),
        ("# callgrind format\ncreator: callgrind-3.19.0\nevents: Ir\nfn=f\n1 20\ntotals: 21\n", ":6: cachegrind: the"),
        (
            "syscall  calls\n-------- ------\nread          4\n",
            ":1: strace -c: a table without calls or without seconds",
        ),
        ("*** File /srv/kv/store.cpp:\n   12 -> void put() {\n", "without -A"),
        ('{"dhatFileVersion":2,"mode":"heap"}\n', "--tool=massif"),
        ("Process: kv [4]\nException Type:  EXC_BAD_ACCESS\n", "a crash report"),
        ("Profile data file 'cg' (creator: callgrind-3.19.0)\n", "import the file that it read"),
    ],
)
def test_what_is_close_to_a_format_and_none_is_refused(content: str, said: str, tmp_path: Path) -> None:
    """Differences, tables without the needed columns, sums that disagree, and reports made of a profile."""
    file = tmp_path / "f"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        import_files([file], tmp_path / "r")
    assert str(error.value).startswith(f"{file}:") and said in str(error.value)


def test_a_part_of_callgrinds_that_has_no_totals_is_cut_short(tmp_path: Path) -> None:
    """callgrind ends each part with its totals; what was whole until then is kept."""
    text = (VARIANTS / "callgrind-parts.out").read_text(encoding="utf-8")
    (tmp_path / "f").write_text(text[: text.rindex("totals:")], encoding="utf-8")
    (facts,), _ = imported(tmp_path / "r", tmp_path / "f")
    assert facts.cut_short is not None and facts.figures["events"] == {"Ir": 180}


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_archives_of_one_file_are_read(pack: Any, tmp_path: Path) -> None:
    """bzip2 and xz as well as gzip; one that is damaged ends where it ends."""
    content = (VARIANTS / "collapsed-fractions.txt").read_bytes()
    (tmp_path / "f").write_bytes(pack(content))
    (facts,), _ = imported(tmp_path / "r", tmp_path / "f")
    assert facts.figures["samples"] == 38.75
