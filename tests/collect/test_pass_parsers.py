"""Parsers of bpftrace, perf stat, memray's CSV and LeakSanitizer: real output, and output that is cut or mutated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storeprof.collect.linux.native_functions import matching, parse_symbols
from storeprof.collect.passes.bpftrace_output import parse_bpftrace, quantile_ns
from storeprof.collect.passes.leak_sanitizer import parse_leak_sanitizer
from storeprof.collect.passes.memray import parse_csv
from storeprof.collect.passes.perf_stat import parse_perf_stat
from storeprof.errors import CollectorError

DATA = Path(__file__).parents[1] / "data"


def lines(name: str) -> list[str]:
    """Lines of a recorded output, with their ends."""
    return (DATA / name).read_text(encoding="utf-8").splitlines(keepends=True)


PARSERS = {
    "bpftrace/entries.json": parse_bpftrace,
    "bpftrace/kernel.json": parse_bpftrace,
    "perf_stat/no-counters.txt": parse_perf_stat,
    "perf_stat/counters.txt": parse_perf_stat,
    "memray/leaks.csv": lambda rows: parse_csv(rows, "leaks.csv"),
    "leak_sanitizer/gcc.txt": parse_leak_sanitizer,
    "leak_sanitizer/clang.txt": parse_leak_sanitizer,
}


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_output_is_an_error_with_its_line_and_never_a_traceback(name: str, data: st.DataObject) -> None:
    """Text that was cut or changed anywhere is read as far as it goes, or refused by one line that names the place."""
    text = "".join(lines(name))
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 40)))
    put = data.draw(st.sampled_from(["", "\x00", "-1", "nan", "}{", "\n", "9" * 30, ","]))
    damaged = text[:at] + put + (text[end:] if data.draw(st.booleans()) else "")
    try:
        PARSERS[name](damaged.splitlines(keepends=True))
    except CollectorError as error:
        assert "line" in str(error)


@pytest.mark.parametrize("name", PARSERS)
def test_empty_output_is_no_number(name: str) -> None:
    """Nothing at all is either refused or has no figures."""
    try:
        found = PARSERS[name]([])
    except CollectorError:
        return
    assert not found or not getattr(found, "values", None) or isinstance(found, tuple)


def test_bpftrace_maps_have_their_keys_and_histograms_their_buckets() -> None:
    """Counts, histograms and names of a real run are read; a key that comes twice is one key."""
    maps = parse_bpftrace(lines("bpftrace/entries.json"))
    assert maps.ready
    assert maps.values["@calls"] == {("0",): 1234, ("1",): 77, ("2",): 10}
    assert sum(one.count for one in maps.histograms["@latency"]["0",]) == 1234
    twice = parse_bpftrace(['{"type": "map", "data": {"@rw": {"W": 1, "W": 2}}}\n'])
    assert twice.values["@rw"] == {("W",): 3}


def test_bpftrace_says_when_events_were_lost_or_the_end_is_missing() -> None:
    """Lost events are counted; a last line without an end is left out and named."""
    maps = parse_bpftrace(['{"type": "lost_events", "data": {"events": 3}}\n', '{"type": "map", "da'])
    assert (maps.lost, maps.cut_short) == (3, True)


def test_quantiles_of_doubling_buckets_are_bounds() -> None:
    """The P99 of 100 values lies at the upper edge of the bucket that holds the 99th."""
    row = {"type": "hist", "data": {"@l": [{"min": 1, "max": 1, "count": 98}, {"min": 4, "max": 7, "count": 2}]}}
    buckets = parse_bpftrace([json.dumps(row) + "\n"]).histograms["@l"][()]
    assert (quantile_ns(buckets, 0.5), quantile_ns(buckets, 0.99), quantile_ns([], 0.5)) == (2.0, 8.0, None)


def test_perf_stat_keeps_unknown_unknown() -> None:
    """An event that was not counted is no zero: it is missing, and said to be."""
    counts, notes = parse_perf_stat(lines("perf_stat/no-counters.txt"))
    assert "cycles:u" not in counts
    assert counts["context-switches"] > 0
    assert any(note.startswith("not supported: cycles:u, instructions:u") for note in notes)
    counts, notes = parse_perf_stat(lines("perf_stat/counters.txt"))
    assert counts["cache-misses:u"] == 31742
    assert any("LLC-load-misses:u: counted 12 %" in note for note in notes)


def test_leak_sanitizer_leaves_out_the_allocator_and_checks_the_sum() -> None:
    """A leak belongs to the function that called the allocator; leaks that do not add up to the summary are refused."""
    found = parse_leak_sanitizer(lines("leak_sanitizer/gcc.txt"))
    assert [(one.value, one.stack[0][0]) for one in found] == [(7168.0, "planted::leak_blocks")]
    clang = parse_leak_sanitizer(lines("leak_sanitizer/clang.txt"))
    assert clang[0].stack[0] == ("kv::Store::insert", "/src/store.cpp", 42)
    text = "".join(lines("leak_sanitizer/gcc.txt")).replace("7168 byte(s) in 7", "7167 byte(s) in 7")
    with pytest.raises(CollectorError, match="add up"):
        parse_leak_sanitizer(text.splitlines(keepends=True))


def test_functions_are_named_by_pattern() -> None:
    """A pattern matches a whole name or what follows a `::`; the language's library only when it is named."""
    mangled = "_ZN4tsdb11StorageImpl5writeEv T 10 20\n_ZNSt6vectorIiE5writeEv W 40 8\nmain T 50 8\ncount B 60 8\n"
    pretty = "tsdb::StorageImpl::write() T 10 20\nstd::vector<int>::write() W 40 8\nmain T 50 8\ncount B 60 8\n"
    functions = parse_symbols(mangled, pretty, Path("/bin/x"))
    assert [one.name for one in functions] == ["tsdb::StorageImpl::write", "std::vector<int>::write", "main"]
    assert [one.name for one in matching(functions, "StorageImpl::*")] == ["tsdb::StorageImpl::write"]
    assert [one.name for one in matching(functions, "tsdb::*")] == ["tsdb::StorageImpl::write"]
    assert [one.name for one in matching(functions, "std::*")] == ["std::vector<int>::write"]
    assert matching(functions, "write") == matching(functions, "*write")
    assert matching(functions, "storageimpl::*") == []
