"""What the parsers of tools' outputs read from the samples in the tree, figure by figure."""

from __future__ import annotations

import pytest
from tool_outputs import BY_FILE, lines, parsed

from storeprof.collect.collapsed import parse_collapsed
from storeprof.collect.linux.gprof import parse_gprof
from storeprof.collect.linux.perf_samples import PerfFile, event_name, read_perf_samples
from storeprof.collect.linux.strace_counts import parse_strace_counts
from storeprof.collect.macos.deep_copy import parse_deep_copy
from storeprof.collect.macos.sample import parse_sample, symbol_frame
from storeprof.collect.tool_output import Frame, UnreadableLine, size_bytes


def names(frames: tuple[Frame, ...]) -> list[str]:
    """Function names, leaf first."""
    return [frame.function for frame in frames]


def test_gprof_has_self_time_from_samples_and_inclusive_time_from_its_graph() -> None:
    """Functions have their own seconds, their callees', and calls; C++ names keep their blanks."""
    report = parsed("gprof/leaky.txt")
    checksum = report.functions["kv::Store::checksum()"]
    assert (checksum.self_s, checksum.total_s, checksum.calls) == (3.78, 3.78, 2_000_000)
    assert report.functions["main"].total_s == 3.78
    assert report.period_s == 0.01 and round(report.total_s, 2) == 3.82 and report.cut_short is None
    assert ("main", "kv::Store::put(int)", 2000) in {(arc.caller, arc.callee, arc.calls) for arc in report.arcs}


def test_gprof_takes_a_cycle_for_no_function() -> None:
    """`<cycle 1 as a whole>` is counted and its members keep their names."""
    text = (
        "index % time    self  children    called     name\n"
        "[1]    100.0    5.21    0.00       1+3       <cycle 1 as a whole> [1]\n"
        "                3.50    0.00       2             f <cycle 1> [3]\n"
        "-----------------------------------------------\n"
        "                                   1             g <cycle 1> [4]\n"
        "[3]     67.1    3.50    0.00       2         f <cycle 1> [3]\n"
        "-----------------------------------------------\n"
    )
    report = parse_gprof(lines(text))
    assert list(report.functions) == ["f"] and report.cycles == 1


def test_strace_totals_must_add_up() -> None:
    """A table whose rows disagree with its total is damaged."""
    text = BY_FILE["strace/counts.txt"].text
    table = parsed("strace/counts.txt")
    assert sum(call.calls for call in table.calls) == 106 and table.calls[0].name == "fsync"
    with pytest.raises(UnreadableLine, match="line 24: the rows have 107 calls"):
        parse_strace_counts(lines(text.replace("        20           fsync", "        21           fsync")))


def test_memray_reads_text_and_json_alike() -> None:
    """Both have the totals; those of the text are rounded to three decimals of their unit."""
    text, full = parsed("memray/stats.txt"), parsed("memray/stats.json")
    assert (text.allocations, full.allocations) == (24818, 24818)
    assert full.bytes == 30_207_445 and abs(text.bytes - full.bytes) < 1000 and text.rounded and not full.rounded
    assert text.sites[0].frames == full.sites[0].frames == (Frame("put", None, "app.py", 4, "python"),)
    assert text.allocators["MALLOC"] == 24705 and full.command == "memray run -q -f -o m.bin app.py"


def test_heaptrack_has_sites_by_kind_and_totals() -> None:
    """Each way to an allocation is a site with its frames, sources and binaries."""
    report = parsed("heaptrack/report.txt")
    leaky = next(s for s in report.sites if s.kind == "allocated" and s.frames[0].function == "kv::Store::leak_block()")
    assert (leaky.count, leaky.bytes) == (10, 2080)
    assert leaky.frames[0].file == "/srv/kv/leaky.cpp" and leaky.frames[-1].function == "main"
    assert (report.allocations, report.peak_bytes, report.leaked_bytes, report.runtime_s) == (412, 96080, 6180, 0.03)


def test_valgrind_counts_indirectly_lost_bytes_once() -> None:
    """A definite leak's bytes are its direct ones: the rest is listed as indirectly lost."""
    report = parsed("valgrind/memcheck.xml")
    assert {(leak.kind, leak.bytes, leak.count) for leak in report.leaks} == {
        ("leak", 208, 1),
        ("indirect-leak", 1872, 9),
    }
    assert names(report.leaks[0].frames) == ["malloc", "kv::Store::leak_block()", "main"]
    assert [(error.kind, error.count) for error in report.errors] == [("SyscallParam", 20)] and report.finished


def test_cachegrind_adds_up_to_its_summary() -> None:
    """Self costs of all functions are the summary, of cachegrind and, without calls' inclusive costs, of callgrind."""
    for file in ("valgrind/cachegrind.out", "valgrind/callgrind.out"):
        counts = parsed(file)
        assert tuple(counts.totals) == counts.summary and counts.cut_short is None
    assert counts.calls["kv::Store::put(int)"] == 2000 if "kv::Store::put(int)" in counts.calls else counts.calls


def test_massif_has_its_peak_by_place() -> None:
    """The tree of the highest snapshot, leaf first, adds up to the heap at that time."""
    report = parsed("valgrind/massif.out")
    assert len(report.snapshots) == 56 and report.peak_bytes == 96080 == sum(site.bytes for site in report.peak)
    put = next(site for site in report.peak if site.bytes == 12800)
    assert put.frames[-1].function == "main" and "kv::Store::put(int)" in names(put.frames)


def test_perf_script_of_any_version_is_a_stream_of_samples() -> None:
    """Names with blanks, inlined frames, made-up frames, brackets in symbols and paths, samples without a processor."""
    file = PerfFile()
    samples = list(read_perf_samples(lines(BY_FILE["perf_foreign/default-fields.txt"].text), file))
    assert [(one.comm, one.pid, one.tid, one.event) for one in samples[1:3]] == [
        ("kv bench", None, 4242, "cpu-clock"), ("kv bench", 4242, 4250, "cpu-clock"),
    ]  # fmt: skip
    assert names(samples[1].frames)[:2] == [
        "kv::Store::checksum(kv::Slice const&)", "kv::Store::put(kv::Slice const&, (anonymous namespace)::Options)",
    ]  # fmt: skip
    assert samples[1].broken and samples[2].frames[1].image == "/srv/kv/kvbench (deleted)"
    assert samples[2].frames[0].kind == "kernel" and samples[3].frames[0].function == "kv::grow"
    assert samples[4].event == "sched:sched_switch" and samples[4].state == "D"
    assert file.facts["nrcpus online"] == "8" and file.cut_short is None and samples[1].t_ns == 100_001_000_000


def test_events_are_known_without_their_modifiers() -> None:
    """Modifiers and units are no part of an event's name, tracepoints keep their group."""
    assert [event_name(e) for e in ("cycles:uppp", "cpu_core/cycles/u", "cpu-clock:pppH", "sched:sched_switch")] == [
        "cycles", "cycles", "cpu-clock", "sched:sched_switch",
    ]  # fmt: skip


def test_collapsed_stacks_take_the_count_after_the_last_blank() -> None:
    """Frames may hold blanks and end in numbers; perf's marks say what is kernel code."""
    found = parse_collapsed(
        lines("P12;T7;kv bench;operator new(unsigned long);do_syscall_64_[k] 1000000000000\nP12;T7;a b 3 4\n")
    )
    first, second = found.stacks
    assert (first.pid, first.count, first.frames[0].kind) == (12, 10**12, "kernel")
    assert (second.count, second.frames[0].function) == (4, "a b 3") and found.total == 10**12 + 4


def test_a_last_line_without_an_end_is_taken_when_it_is_whole() -> None:
    """Many writers leave the end out; a line that ends within its stack is left out and said."""
    whole, cut = (parse_collapsed(lines(f"main;a 10\nmain;b{end}")) for end in (" 12.5", ""))
    assert whole.total == 22.5 and whole.unended and whole.cut_short is None
    assert cut.total == 10 and "ends within a stack" in cut.cut_short.lost  # type: ignore[union-attr]


def test_perf_script_takes_stacks_on_one_line_and_after_a_blank_one() -> None:
    """Samples without call graphs carry their frame; a blank line may stand before a stack."""
    text = (
        "          false 39654 19115.489719:          1 cycles:      7fa68b1f2d84 _dl_start+0x4 (/usr/lib/ld-2.31.so)\n"
        "          false 39654 19115.489729:          1 cycles:      7fa68b1f2d84 _dl_start+0x4 (/usr/lib/ld-2.31.so)\n"
        "kv 26037  8801.193547:     250000 cpu-clock:uhH:\n\n\t          401b97 main+0x1f (./kv)\n\n"
        "java 19983 cycles:\nffffffff8103d0ca native_write_msr_safe ([kernel.kallsyms])\n\n"
    )
    samples = list(read_perf_samples(lines(text), PerfFile()))
    assert [names(one.frames) for one in samples] == [["_dl_start"], ["_dl_start"], ["main"], ["native_write_msr_safe"]]


def test_sample_keeps_threads_names_and_recursion() -> None:
    """A tree's depth is the column of the count, whatever stands before it; own counts are what children leave."""
    report = parsed("macos/sample.txt")
    main, writer, worker = report.threads
    assert (report.name, report.pid, report.interval_ns) == ("kvbench", 4242, 1_000_000)
    assert writer.name == "kv-writer — Schreiber" and main.queue.startswith("DispatchQueue_1") and worker.name is None
    assert all(
        thread.count == sum(s.count for s in thread.stacks) == 4000 and thread.lost == 0 for thread in report.threads
    )
    by_leaf = {names(s.frames)[0]: (s.count, len(s.frames)) for s in writer.stacks}
    assert by_leaf["__psynch_mutexwait"] == (2200, 8) and by_leaf["0x104a92744"] == (200, 5)
    recursive = next(s for s in writer.stacks if s.frames[0].function == "_platform_memmove")
    assert names(recursive.frames).count("kv::Compressor::compress(kv::Block&)") == 2
    assert report.images["libsystem_kernel.dylib"] == "/usr/lib/system/libsystem_kernel.dylib"
    assert report.header.footprint_bytes == round(48.2 * 2**20) and report.header.peak_bytes == 51 * 2**20


def test_a_sample_that_is_cut_short_gives_no_caller_what_its_callees_lost() -> None:
    """What is left of open nodes is unknown, not theirs."""
    text = BY_FILE["macos/sample.txt"].text
    cut = text[: text.index("kv::Wal::sync()")]
    report = parse_sample(lines(cut))
    writer = report.threads[1]
    assert sum(s.count for s in writer.stacks) == 2200 and writer.lost == 1800
    assert "1800 samples of the last thread" in report.cut_short.lost  # type: ignore[union-attr]


def test_children_with_more_samples_than_their_caller_are_an_error() -> None:
    """A count that was changed does not pass for a result."""
    text = BY_FILE["macos/sample.txt"].text.replace("900 kv::Wal::sync", "90000 kv::Wal::sync")
    with pytest.raises(UnreadableLine, match="have more than the 4000 samples"):
        parse_sample(lines(text))


@pytest.mark.parametrize(
    ("what", "frame"),
    [
        ("start  (in dyld) + 1,20,...  [0x7f,0x80,...]", Frame("start", "dyld")),
        ("???  (in rg)  load address 0x103746000 + 0x1234  [0x103747234]", Frame("0x103747234", "rg")),
        ("???  [0x1234]", Frame("0x1234")),
        (
            "f(int) (.llvm.78)  (in my (odd) tool) + 3  [0x1]  a b.cc:12",
            Frame("f(int) (.llvm.78)", "my (odd) tool", "a b.cc", 12),
        ),
        ("-[NSRunLoop runMode:beforeDate:]", Frame("-[NSRunLoop runMode:beforeDate:]")),
    ],
)
def test_symbols_of_sample_in_all_their_forms(what: str, frame: Frame) -> None:
    """Offsets, lists of them, load addresses, sources and missing names."""
    assert symbol_frame(what) == frame


def test_heap_splits_rows_whose_names_overflow() -> None:
    """Two blanks end a name; non-objects have neither type nor binary; a head may follow other text."""
    report = parsed("macos/heap.txt")
    assert (report.pid, report.nodes, report.bytes, len(report.classes)) == (4242, 1203, 256112, 4)
    assert (report.classes[0].name, report.classes[0].type) == ("non-object", None)
    assert report.classes[2].name.endswith("kv::Block>>") and report.classes[2].type == "C++"
    assert report.classes[3].name == "CFString (Storage)" and report.cut_short is None


def test_vmmap_reads_both_of_its_reports() -> None:
    """Report 2.3 has virtual sizes, 2.4 four columns; sizes may lack a unit, names have blanks and brackets."""
    old, new = parsed("macos/vmmap-2.3.txt"), parsed("macos/vmmap-2.4.txt")
    assert [region.name for region in old.regions] == ["__TEXT", "MALLOC guard page", "MALLOC_TINY (empty)", "Stack"]
    assert old.regions[0].end - old.regions[0].start == 92 * 1024 and old.regions[0].resident_bytes is None
    assert old.regions[0].detail == "/Users/ada/kv build/kvbench" and old.total().figures == {
        "virtual_bytes": 9308 * 1024
    }
    assert new.regions[2].dirty_bytes == 4112 * 1024 and new.regions[1].dirty_bytes == 64
    assert new.total().figures["resident_bytes"] == 4804 * 1024 and new.total().figures["regions"] == 4
    zone = next(row for row in new.rows if row.kind == "zone")
    assert zone.figures["allocations"] == 1203 and zone.figures["allocated_bytes"] == 3900 * 1024
    old_zone = next(row for row in old.rows if row.kind == "zone")
    assert old_zone.figures["allocations"] == 2205 and old_zone.figures["allocated_bytes"] == 301 * 1024
    assert old.cut_short is None and new.cut_short is None


def test_leaks_reads_its_three_formats() -> None:
    """Hex dumps with call stacks, a tree whose totals include descendants, and stacks of several instances."""
    dump, tree, stacks = (parsed(f"macos/leaks-{name}.txt") for name in ("2.0", "4.0-tree", "4.0-stacks"))
    assert [(one.count, one.bytes) for one in (dump, tree, stacks)] == [(2, 304), (4, 1120), (4, 15392)]
    assert dump.leaks[0].bytes == 256 and names(dump.leaks[0].frames)[:2] == ["malloc", "kv::make_block()"]
    assert [(leak.kind, leak.count, leak.bytes) for leak in tree.leaks] == [
        ("ROOT LEAK", 3, 1040),
        ("ROOT CYCLE", 1, 80),
    ]
    assert [(leak.count, leak.bytes) for leak in stacks.leaks] == [(1, 5120)] * 3 + [(1, 32)]
    assert names(stacks.leaks[0].frames)[2:4] == ["kv::make_block()", "kv::Store::put(kv::Slice const&)"]
    assert stacks.leaks[0].frames[2].file == "block.cpp" and stacks.leaks[0].frames[2].line == 9


def test_malloc_history_reads_lists_events_and_trees() -> None:
    """Live blocks by stack; what was freed again is not alive; a tree's counts are exact."""
    by_size, events, tree = (parsed(f"macos/malloc_history-{name}.txt") for name in ("by-size", "events", "tree"))
    assert [(site.count, site.bytes) for site in by_size.sites] == [(2, 1003520), (1, 48)]
    assert names(by_size.sites[0].frames)[-1] == "start" and by_size.sites[0].thread == "16fe87000"
    assert sorted((site.bytes, site.thread) for site in events.sites) == [(48, "170000000"), (128, "16fe87000")]
    assert sum(site.count for site in tree.sites) == 12 and tree.cut_short is None
    assert next(site.bytes for site in tree.sites if site.count == 6) == 7 * 2**20


def test_footprint_has_its_columns_by_name() -> None:
    """Categories stand last and may hold brackets; the total is no category."""
    one = parsed("macos/footprint.txt").footprints[0]
    assert (one.name, one.pid, one.bytes) == ("kvbench", 4242, 48 * 2**20)
    assert one.categories[0].bytes["swapped"] == 128 * 1024 and one.total.regions == 31
    assert one.categories[1].name == "Owned physical footprint (unmapped) (graphics)"
    assert one.auxiliary["phys_footprint_peak"] == 51 * 2**20


def test_spindump_tells_kernel_frames() -> None:
    """A star marks the kernel's frames; every thread's samples are accounted for."""
    report = parsed("macos/spindump.txt")
    main, compactor = report.processes[0].threads
    assert report.interval_ns == 10_000_000 and report.processes[0].pid == 4242 and compactor.name == "compactor"
    assert [(s.count, s.frames[0].kind) for s in main.stacks] == [(210, "native"), (90, "kernel")]
    assert main.stacks[1].frames[1].function == "fsync" and report.cut_short is None


def test_dtrace_reads_stacks_aggregations_and_distributions() -> None:
    """A kernel stack and a user stack share a block; counts stand alone; offsets are optional."""
    stacks, entries, spread = (parsed(f"macos/dtrace-{name}.txt") for name in ("stacks", "entries", "quantize"))
    assert [s.count for s in stacks.stacks] == [12, 288] and [f.kind for f in stacks.stacks[0].frames[:3]] == [
        "kernel", "kernel", "native",
    ]  # fmt: skip
    assert names(stacks.stacks[1].frames)[2] == "0x104d08831"
    assert {row.key: row.value for row in entries.rows}[
        "kv::Store::put(kv::Slice const&)"
    ] == 48000 and entries.drops == 7
    assert spread.spreads[0].key == "fsync" and spread.spreads[0].buckets == [
        (262144.0, 524288.0, 30),
        (524288.0, 1048576.0, 10),
    ]


def test_xctrace_resolves_references_over_the_whole_document() -> None:
    """Threads, weights, frames and whole backtraces come once, and as references after that."""
    rows = parsed("macos/xctrace-time-profile.xml")
    assert len(rows) == 300 and rows[-1].cells["thread"].shown.startswith("Main Thread")
    assert sum(row.cells["weight"].integer() or 0 for row in rows) == 300_000_000 and "core" not in rows[1].cells
    with pytest.raises(UnreadableLine, match="refers to nothing"):
        BY_FILE["macos/xctrace-time-profile.xml"].parse(
            lines(
                BY_FILE["macos/xctrace-time-profile.xml"].text.replace(
                    '<backtrace ref="10"/>', '<backtrace ref="99"/>', 1
                )
            )
        )


def test_a_row_of_a_deep_copy_has_its_amounts_before_its_symbol() -> None:
    """A row that has lost columns is an error with its line, not one that ends the parser."""
    with pytest.raises(UnreadableLine, match="line 2: no row of a deep copy"):
        parse_deep_copy(["Self Weight\tWeight\tCount\tx\tSymbol Name\n", "1 s\t1 s\tmain\n"])


def test_a_deep_copy_takes_self_amounts_from_their_own_column() -> None:
    """Depth is the number of blanks before the symbol; a process row is no frame."""
    found = parsed("macos/deep-copy-time.txt")
    assert (found.kind, found.pid, found.process, found.total) == ("time", 4242, "kvbench", 3_000_000_000)
    assert {n.frames[0].function: n.amount for n in found.nodes}["kv::Store::scan()"] == 2_100_000_000
    allocations = parsed("macos/deep-copy-allocations.txt")
    assert allocations.kind == "allocations" and sum(n.count or 0 for n in allocations.nodes) == 300


def test_sizes_have_the_unit_of_their_tool() -> None:
    """Units of 1024 unless a tool counts in thousands; no unit means bytes; what is no size is none."""
    assert [size_bytes(text) for text in ("92K", "7.82M", "1.4G", "3856", "922 MB", "16 bytes")] == [
        94208, 8199864, 1503238554, 3856, 966787072, 16,
    ]  # fmt: skip
    assert size_bytes("29.887MB", 1000) == 29_887_000 and size_bytes("x") is None and size_bytes("1Q") is None
