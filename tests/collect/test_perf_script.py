"""The text of perf script becomes tables exactly, whatever names and cuts it holds."""

import json
from pathlib import Path

import pytest
from collect_support import DATA
from hypothesis import given
from hypothesis import strategies as st

from storeprof.collect.linux.native_samples import CPU, NO_ADDRESS, SWITCH, NativeSamples
from storeprof.collect.linux.perf_script import parse_perf_script, plain_symbol
from storeprof.errors import CollectorError

RECORDED = sorted((DATA / "perf").glob("*.txt"))
HEADER = b"main  7/8   12.000000001:    5025125 cpu-clock/freq=199/: \n"
FRAMES = b"\t            1594 work+0x24 (/opt/engine/main)\n\t            1460 _start+0x20 (/opt/engine/main)\n\n"


def parse(text: bytes) -> NativeSamples:
    """Parse a text by lines."""
    return parse_perf_script(text.splitlines(keepends=True))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_recorded_outputs(recorded: Path) -> None:
    """Each recorded output gives the samples, stacks and losses written down beside it."""
    native = parse(recorded.read_bytes())
    rows = [
        {
            "t_ns": int(row["t_ns"]),
            "pid": int(row["pid"]),
            "tid": int(row["tid"]),
            "weight": int(row["weight"]),
            "kind": "switch" if row["kind"] == SWITCH else "cpu",
            "state": row["state"].decode(),
            "broken": bool(row["broken"]),
            "stack": native.stack_symbols(int(row["stack"])),
        }
        for row in native.samples
    ]
    expected = json.loads(recorded.with_suffix(".expected.json").read_text())
    assert {"lost": native.lost, "samples": rows} == expected


def test_two_outputs_were_recorded() -> None:
    """The recorded outputs are there."""
    assert len(RECORDED) == 2


def test_stacks_are_shared() -> None:
    """Equal stacks have one row, callers are shared, and a parent stands before its children."""
    native = parse((DATA / "perf" / "mutex-dwarf.txt").read_bytes())
    working = native.samples["stack"][[2, 3, 4]]
    assert len(set(working.tolist())) == 1
    has_parent = native.stacks["parent"] != 0xFFFFFFFF
    assert (native.stacks["parent"][has_parent] < has_parent.nonzero()[0]).all()


def test_frames_keep_places() -> None:
    """A user frame has its own and its function's offset in the file; kernel and JIT frames have none."""
    jit = b"\t    7f2c686dea00 [unknown] (//anon)\n"
    kernel = b"\tffffffff821facd8 __schedule+0x618 ([kernel.kallsyms])\n"
    native = parse(HEADER + kernel + jit + FRAMES)
    found = {native.symbols[row["symbol"]]: row for row in native.frames}
    assert (found["work"]["offset"], found["work"]["function_offset"]) == (0x1594, 0x1594 - 0x24)
    assert found["__schedule"]["kernel"] and not found["work"]["kernel"]
    assert found["__schedule"]["offset"] == found["[unknown]"]["offset"] == NO_ADDRESS
    assert [bool(row["is_caller"]) for row in native.frames] == [False, True, True, True]


def test_made_up_frames_are_dropped_and_told() -> None:
    """From the first frame in no mapping on, a stack is dropped, and counts as broken."""
    native = parse(HEADER + b"\t 10 f+0x1 (/a)\n\t 20 [unknown] ([unknown])\n\t 30 main+0x1 (/a)\n\n")
    assert native.stack_symbols(int(native.samples["stack"][0])) == ["f"]
    assert native.quality(CPU).broken == 1.0


def test_names_with_spaces_and_parentheses() -> None:
    """Thread names, functions and paths may hold spaces, parentheses and digits."""
    text = b"a b 1/2 (x) 7/8 1.5000000: \n".replace(b"1.5000000: ", b"1.500000000: 9 cycles:u: ")
    frame = b"\t 1594 ns::f<int (*)(char)>::operator()+0x4 (/opt/my (old) dir/lib x.so (deleted))\n\n"
    native = parse(text + frame)
    assert (native.thread_names, native.symbols, native.dsos) == (
        {8: "a b 1/2 (x)"},
        ("ns::f<int (*)(char)>::operator()",),
        ("/opt/my (old) dir/lib x.so (deleted)",),
    )
    assert native.samples["t_ns"][0] == 1_500_000_000


def test_default_fields_are_read() -> None:
    """An output made without -F (no pid, a CPU, microseconds, no offsets) is read as well."""
    native = parse(b"dd 25410 [001] 13.070605: cpu-clock: \n\tffffffff81 __wake_up ([kernel.kallsyms])\n\n")
    assert native.samples[["tid", "t_ns", "weight"]][0].tolist() == (25410, 13_070_605_000, 1)


def test_an_unreadable_line_is_named() -> None:
    """A line that fits no rule stops the parser with its number and text."""
    with pytest.raises(CollectorError, match=r"^perf script output, line 5: cannot be read: 'what is this\?'$"):
        parse(HEADER + FRAMES + b"what is this?\n")


@given(st.integers(0, len(HEADER + FRAMES + HEADER + FRAMES)))
def test_an_output_cut_short_is_read_up_to_there(length: int) -> None:
    """Wherever the text ends, what came before is read, and a half line is told."""
    text = (HEADER + FRAMES + HEADER + FRAMES)[:length]
    native = parse(text)
    assert len(native.samples) >= (HEADER + FRAMES + HEADER + FRAMES)[:length].count(b"\n\n")


def test_an_empty_output_has_empty_tables() -> None:
    """No lines, no samples, and no quality to speak of."""
    native = parse(b"")
    assert (len(native.samples), native.quality().samples) == (0, 0)


def test_plain_symbols() -> None:
    """Marks of compiler, linker and C library are not part of a name."""
    marked = ["f.isra.0.cold", "pthread_mutex_lock@@GLIBC_2.2.5", "__GI___lll_lock_wait", "ns::f<a.b>", "x"]
    assert [plain_symbol(name) for name in marked] == [
        "f",
        "pthread_mutex_lock",
        "__lll_lock_wait",
        "ns::f<a.b>",
        "x",
    ]
