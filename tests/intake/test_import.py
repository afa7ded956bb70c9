"""`storeprof import`: files of other tools become one recording that everything else works on."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storeprof.analysis.document import analyze
from storeprof.cli.main import main
from storeprof.errors import UsageError
from storeprof.intake.convert_stacks import load_perf_script
from storeprof.intake.importing import import_files
from storeprof.intake.incident import FileFacts, Incident
from storeprof.intake.tables import Tables
from storeprof.recording.model import Recording

DATA = Path(__file__).parents[1] / "data"
FORMATS = {
    "gprof/leaky.txt": "gprof", "strace/counts.txt": "strace -c", "memray/stats.txt": "memray stats",
    "memray/stats.json": "memray stats", "heaptrack/report.txt": "heaptrack_print",
    "valgrind/memcheck.xml": "valgrind XML",
    "valgrind/cachegrind.out": "cachegrind", "valgrind/callgrind.out": "callgrind", "valgrind/massif.out": "massif",
    "py_spy/raw.txt": "py-spy raw", "perf_foreign/default-fields.txt": "perf script",
    "perf/mutex-dwarf.txt": "perf script",
    "macos/sample.txt": "sample", "macos/spindump.txt": "spindump", "macos/heap.txt": "heap",
    "macos/vmmap-2.3.txt": "vmmap", "macos/vmmap-2.4.txt": "vmmap", "macos/leaks-2.0.txt": "leaks",
    "macos/leaks-4.0-tree.txt": "leaks", "macos/leaks-4.0-stacks.txt": "leaks",
    "macos/malloc_history-by-size.txt": "malloc_history", "macos/malloc_history-events.txt": "malloc_history",
    "macos/malloc_history-tree.txt": "malloc_history", "macos/footprint.txt": "footprint",
    "macos/dtrace-stacks.txt": "dtrace", "macos/dtrace-entries.txt": "dtrace", "macos/dtrace-quantize.txt": "dtrace",
    "macos/deep-copy-time.txt": "Instruments deep copy", "macos/deep-copy-allocations.txt": "Instruments deep copy",
    "macos/xctrace-time-profile.xml": "xctrace XML", "macos/xctrace-allocations.xml": "xctrace XML",
    "macos/xctrace-leaks.xml": "xctrace XML", "macos/xctrace-regions.xml": "xctrace XML",
}  # fmt: skip


def document(folder: Path, *files: Path) -> dict[str, Any]:
    """The findings document of an import."""
    import_files(list(files), folder)
    return analyze(Recording.open(folder))


@pytest.mark.parametrize("file", FORMATS)
def test_every_format_is_recognised_by_its_content(file: str, tmp_path: Path) -> None:
    """A copy under a name that says nothing is read as what it is, and the recording can be analysed."""
    copy = tmp_path / "x"
    copy.write_bytes((DATA / file).read_bytes())
    found = document(tmp_path / "rec", copy)
    assert [row["format"] for row in found["imported"]] == [FORMATS[file]]
    assert found["imported"][0]["cut_short"] is None
    assert found["metrics"]["throughput_per_s"] is None and found["metrics"]["read_bytes"] is None


def test_a_sample_gets_a_verdict_with_its_waits(tmp_path: Path) -> None:
    """The lock that a writer waits for is the bottleneck; idle threads are in no denominator."""
    found = document(tmp_path / "rec", DATA / "macos/sample.txt")
    assert found["verdict"] == "bottleneck"
    lock = next(row for row in found["findings"] if row["kind"] == "lock-contention")
    assert lock["where"]["function"] == "kv::Store::put" and lock["share"] == pytest.approx(0.55, abs=0.001)
    assert found["wall_time"]["lock"] == pytest.approx(0.55, abs=0.001)
    assert found["wall_time"]["io"] == pytest.approx(0.225, abs=0.001)
    disk = next(row for row in found["findings"] if row["kind"] == "io-wait")
    assert disk["where"]["function"] == "kv::Wal::sync" and "__fcntl" in disk["evidence"][0]
    assert found["duration_s"] == 4.0 and found["metrics"]["cpu_percent"] is None
    assert found["metrics"]["rss_peak_bytes"] == 51 * 2**20


def test_a_main_thread_that_waits_in_its_run_loop_is_idle(tmp_path: Path) -> None:
    """Also where the program has no symbols: nothing but the system's own frames stand on its stack then."""
    spun = (DATA / "macos/spindump.txt").read_text(encoding="utf-8")
    work = spun[spun.index("    300  main + 120") : spun.index("  Thread 0x4baf2")]
    loop = (
        "    300  ??? (kvbench + 4216) [0x104a91078]\n"
        "      300  CFRunLoopRunSpecific + 560 (CoreFoundation + 510896) [0x18bf7ebb0]\n"
        "        300  __CFRunLoopServiceMachPort + 145 (CoreFoundation + 519438) [0x18bf80d0e]\n"
        "          300  mach_msg2_trap + 10 (libsystem_kernel.dylib + 5794) [0x18c1c26a2]\n\n"
    )
    (tmp_path / "spun.txt").write_text(spun.replace(work, loop), encoding="utf-8")
    found = document(tmp_path / "rec", tmp_path / "spun.txt")
    assert found["wall_time"]["network"] == 0 and not [
        row for row in found["findings"] if row["kind"] == "network-wait"
    ]


def test_a_cpu_profile_names_its_hot_function_and_says_that_waits_are_not_in_it(tmp_path: Path) -> None:
    """Shares are those of the samples; what a file can't tell is not checked."""
    stacks = tmp_path / "collapsed.txt"
    stacks.write_text(
        "main;kv::Store::put(int);kv::checksum(int) 600\nmain;kv::Store::put(int) 300\nmain;kv::scan() 100\n"
    )
    found = document(tmp_path / "rec", stacks)
    hot = found["findings"][0]
    assert (hot["kind"], hot["where"]["function"], hot["share"]) == ("cpu-hotspot", "kv::checksum", 0.6)
    assert {row["function"]: row["self_cpu_share"] for row in found["functions"]} == {
        "kv::checksum": 0.6, "kv::Store::put": 0.3, "kv::scan": 0.1,
    }  # fmt: skip
    assert found["duration_s"] is None and found["metrics"]["cpu_percent"] is None
    assert "samples" in hot["evidence"][0] and " s)" not in hot["evidence"][0]
    checked = {row["kind"]: row["checked"] for row in found["coverage"]}
    assert checked["cpu-hotspot"] and not checked["lock-contention"] and not checked["memory-leak"]


def test_a_profile_without_callers_has_no_inclusive_shares(tmp_path: Path) -> None:
    """gprof and valgrind count by function: what its callees took is unknown, not nothing."""
    found = document(tmp_path / "rec", DATA / "gprof/leaky.txt")
    assert (
        found["functions"][0]["function"] == "kv::Store::checksum" and found["functions"][0]["total_cpu_share"] is None
    )
    totals = Recording.open(tmp_path / "rec").sql("SELECT calls, total_ns FROM call_totals WHERE name = 'main'")
    assert totals["total_ns"].tolist() == [3_780_000_000]


def test_leaks_are_findings_by_the_function_that_allocated(tmp_path: Path) -> None:
    """Leaks of one place are one finding, with bytes, blocks and the way there; time is not judged."""
    found = document(tmp_path / "rec", DATA / "macos/leaks-4.0-stacks.txt")
    first = found["findings"][0]
    assert first["kind"] == "memory-leak" and first["where"] == {
        "function": "kv::make_block", "file": "block.cpp", "line": None, "operation": None, "resource": None,
    }  # fmt: skip
    assert "15,360 bytes in 3 blocks" in first["evidence"][0] and found["verdict"] == "inconclusive"
    assert "can't tell where time goes" in found["summary"]


def test_valgrind_leaks_are_charged_to_who_called_malloc(tmp_path: Path) -> None:
    """The allocator itself is nobody's code."""
    found = document(tmp_path / "rec", DATA / "valgrind/memcheck.xml")
    assert found["findings"][0]["where"]["function"] == "kv::Store::leak_block"
    assert "2,080 bytes in 10 blocks" in found["findings"][0]["evidence"][0]


def test_files_of_one_incident_join(tmp_path: Path) -> None:
    """Processes are joined by number; each file adds what only it knows."""
    files = [DATA / "macos" / name for name in ("leaks-4.0-stacks.txt", "sample.txt", "vmmap-2.4.txt", "heap.txt")]
    found = document(tmp_path / "rec", *files)
    assert [row["kind"] for row in found["findings"]][:2] == ["lock-contention", "io-wait"]
    assert any(row["kind"] == "memory-leak" for row in found["findings"])
    recording = Recording.open(tmp_path / "rec")
    assert recording.sql("SELECT pid, name FROM processes")["pid"].tolist() == [4242]
    assert recording.sql("SELECT count(*) AS n FROM heap_objects")["n"][0] == 4
    assert recording.sql("SELECT count(*) AS n FROM memory_regions WHERE kind = 'region'")["n"][0] == 4


def test_two_profiles_of_one_process_are_not_added_up(tmp_path: Path) -> None:
    """CPU time that two tools saw at once counts once: looks before CPU samples."""
    found = document(tmp_path / "rec", DATA / "macos/xctrace-time-profile.xml", DATA / "macos/sample.txt")
    assert found["wall_time"]["lock"] == pytest.approx(0.55, abs=0.001)


def test_perf_script_keeps_processes_threads_events_and_the_idle_apart(tmp_path: Path) -> None:
    """The idle task is no program; events that are no CPU time stand beside it."""
    found = document(tmp_path / "rec", DATA / "perf_foreign/default-fields.txt")
    figures = found["imported"][0]["figures"]
    assert (figures["idle"], figures["cpu_event"], figures["cpu_unit"]) == (1, "cpu-clock", "ns")
    recording = Recording.open(tmp_path / "rec")
    assert recording.sql("SELECT count(*) AS n FROM cpu_samples")["n"][0] == 2
    assert recording.sql("SELECT event, count FROM event_samples")["event"].tolist() == ["page-faults"]
    assert recording.sql("SELECT state FROM switch_samples")["state"].tolist() == ["D"]
    assert sorted(recording.sql("SELECT tid FROM threads")["tid"].tolist()) == [4242, 4250]
    assert recording.meta["machine"]["cpus_online"] == 8


def test_counts_of_any_size_keep_their_shares(tmp_path: Path) -> None:
    """A stack with a thousand billion counts makes no thousand billion rows, and no stack is lost."""
    file = tmp_path / "f"
    file.write_text(f"main;big {10**15}\nmain;half {10**15 // 2}\nmain;one 1\n")
    document(tmp_path / "rec", file)
    rows = Recording.open(tmp_path / "rec").sql(
        "SELECT function, sum(weight_ns) AS w, count(*) AS n FROM cpu_samples JOIN stacks USING (stack_id) "
        "JOIN frames USING (frame_id) GROUP BY ALL ORDER BY w DESC"
    )
    assert rows["function"].tolist() == ["big", "half", "one"] and sum(rows["n"].tolist()) < 100_000
    assert rows["w"][0] / rows["w"][1] == pytest.approx(2.0, rel=1e-6)


def test_a_file_cut_short_is_imported_as_far_as_it_goes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It says after which line it ends and what that costs, in the import, the document and the report."""
    text = (DATA / "macos/sample.txt").read_text(encoding="utf-8")
    cut = tmp_path / "cut.txt"
    cut.write_text(text[: text.index("kv::Wal::sync()")], encoding="utf-8")
    assert main(["import", str(cut), "--out", str(tmp_path / "rec")]) == 0
    assert "it ends after line" in capfd.readouterr().err
    assert main(["report", str(tmp_path / "rec")]) == 0
    assert "it ends after line" in " ".join(capfd.readouterr().out.split())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1: is empty"),
        (b"hello\nworld\n", ":1: is of no format that import knows"),
        (b"PERFILE2 rest", "perf script -i"),
        (b"gmon\x01\x00", "gprof PROGRAM"),
        (b"a\0b\nmain;f 3\n", ":1: is no text"),
        (b"main;f 3\nmain;g x\nmain;h 4\n", ":2: collapsed stacks: no collapsed stack"),
        (b"*** Sampled system activity (x) ***\n", "powermetrics, which is not imported"),
        (b'openat(AT_FDCWD, "/etc/x", O_RDONLY) = 3\nread(3, "x", 10) = 1 <0.000012>\n', "strace -f -c -w"),
        (b"==12== Memcheck, a memory error detector\n", "--xml=yes"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line(
    content: bytes, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line, status 2, and nothing is left behind."""
    bad = tmp_path / "bad.txt"
    bad.write_bytes(content)
    assert main(["import", str(DATA / "macos/heap.txt"), str(bad), "--out", str(tmp_path / "rec")]) == 2
    error = capfd.readouterr().err
    assert "bad.txt" in error and said in error and error.count("\n") == 1
    assert not (tmp_path / "rec").exists()


def test_missing_files_twins_and_folders_are_refused(tmp_path: Path) -> None:
    """Each with what to do instead."""
    (tmp_path / "a.trace").mkdir()
    os.mkfifo(tmp_path / "pipe")
    heap = DATA / "macos/heap.txt"
    for files, said in (
        ([tmp_path / "pipe"], "is a pipe"),
        ([tmp_path / "none"], "no such file"), ([tmp_path / "a.trace"], "xctrace export"),
        ([heap, heap], "name each file once"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            import_files(files, tmp_path / "rec")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert main(["import", str(heap), "--out", str(tmp_path / "full")]) == 2


def test_other_encodings_and_compression_are_read(tmp_path: Path) -> None:
    """UTF-16 with and without a mark, and gzip, as they come from Windows shares and archives."""
    text = (DATA / "gprof/leaky.txt").read_text(encoding="utf-8")
    for name, content in (
        ("utf16", text.encode("utf-16")), ("utf16le", text.encode("utf-16-le")),
        ("crlf", text.replace("\n", "\r\n").encode()),
        ("gz", gzip.compress(text.encode())),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        found = document(tmp_path / f"{name}-rec", tmp_path / name)
        assert found["imported"][0]["figures"]["functions"] == 11


def test_the_last_line_says_where_the_recording_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Scripts read it, as after `record`; `analyze --json` and `--fail-on` work on it."""
    folder = tmp_path / "rec"
    assert main(["import", str(DATA / "macos/sample.txt"), "--out", str(folder)]) == 0
    assert capfd.readouterr().err.splitlines()[-1] == f"recording: {folder}"
    assert main(["analyze", str(folder), "--json", "--fail-on", "lock-contention"]) == 1
    assert json.loads(capfd.readouterr().out)["imported"][0]["file"] == "sample.txt"


def perf_lines(size: int) -> Iterator[str]:
    """Lines of a perf script of about that many bytes: a thousand different stacks of a few hundred functions."""
    written = number = 0
    while written < size:
        seed = number % 1000
        clock = f"{number // 1000}.{number % 1000:03d}000:    1000000 cpu-clock: "
        sample = [f"kvbench {100 + number % 4} {clock}\n"]
        for at in (seed * 7 % 389, seed * 13 % 97, seed % 11):
            sample.append(f"\t    55d{at:05x} kv::f{at}(kv::Slice const&)+0x{seed % 4:x} (/srv/kv/kvbench)\n")
        sample += ["\t    55d0c3 main+0x3 (/srv/kv/kvbench)\n", "\n"]
        yield from sample
        written += sum(map(len, sample))
        number += 1


def test_a_large_perf_script_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Rows leave memory as they come: four times the stream needs as much of Python's memory as the stream."""
    peaks, rows = [], []
    for size in (1 << 19, 1 << 21):
        incident = Incident(Tables(tmp_path, rows_in_memory=500))
        tracemalloc.start()
        load_perf_script(perf_lines(size), incident, FileFacts("stream", "perf script"), {"cpu-clock"})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        rows.append(incident.tables.counts["cpu_samples"])
        incident.tables.close()
    assert rows[1] > 3.5 * rows[0] > 5000 and peaks[1] < 1.2 * peaks[0], (rows, peaks)


@pytest.mark.parametrize("file", ["macos/sample.txt", "gprof/leaky.txt", "macos/heap.txt"])
def test_imported_recordings_can_be_exported(file: str, tmp_path: Path) -> None:
    """Processes without a number, times that are unknown and recordings without samples included."""
    import_files([DATA / file], tmp_path / "rec")
    for form in ("speedscope", "perfetto", "chrome", "pprof", "collapsed", "markdown"):
        assert main(["export", str(tmp_path / "rec"), "--format", form, "-o", str(tmp_path / form)]) == 0
        assert (tmp_path / form).exists()


FIXTURES = Path(os.environ.get("STOREPROF_FIXTURES", "none"))
MORE = sorted(
    one
    for one in (FIXTURES.rglob("*") if FIXTURES.is_dir() else ())
    if one.is_file() and one.suffix != ".md" and not one.name.endswith(".source.txt")
)


@pytest.mark.parametrize("file", MORE or [DATA / "macos/sample.txt"], ids=lambda one: one.name)
def test_recordings_of_real_tools_are_imported_or_refused_by_name(file: Path, tmp_path: Path) -> None:
    """Over the folder that STOREPROF_FIXTURES names; without it, over a sample of ours."""
    try:
        found = document(tmp_path / "rec", file)
    except UsageError as error:
        assert str(error).startswith(f"{file}:") and "\n" not in str(error)
        return
    assert found["imported"][0]["figures"]
    shares = sum(found["wall_time"].values())
    assert shares == pytest.approx(1.0) or shares == 0


@pytest.mark.parametrize(
    ("file", "most"),
    [
        ("macos/heap.txt", "CFString (Storage) 131,120 bytes in 2 blocks"),
        ("macos/leaks-4.0-stacks.txt", "kv::make_block() 15,360 bytes in 3 blocks"),
        ("macos/malloc_history-by-size.txt", "kv::"),
    ],
)
def test_the_report_says_what_holds_the_bytes(
    file: str, most: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside its totals a file of blocks has the names of who allocated most, or of what it is."""
    document(tmp_path / "rec", DATA / file)
    assert main(["report", str(tmp_path / "rec")]) == 0
    assert f"most of it: {most}" in " ".join(capsys.readouterr().out.split())
