"""Native frames lead to source files and lines, quickly or not at all."""

import subprocess
from pathlib import Path

import pytest
from collect_support import PROGRAMS, build, driver

from storeprof.collect.linux.elf import Segment, address_of, load_segments
from storeprof.collect.linux.perf_script import parse_perf_script
from storeprof.collect.linux.symbols import SourceLine, frame_sources, parse_addr2line, source_lines


def body(name: str, function: str) -> range:
    """The lines of a function of a test program, found by its braces."""
    lines = (PROGRAMS / f"{name}.cpp").read_text().splitlines()
    first = next(i for i, line in enumerate(lines, 1) if f" {function}(" in line and line.endswith("{"))
    last = next(i for i, line in enumerate(lines, 1) if i > first and line == "}")
    return range(first, last + 1)


def test_sampled_functions_lead_to_their_source(tmp_path: Path) -> None:
    """A sampled function has its file, its first line or the one after, and sampled lines in its body."""
    binary = build("collect_two_functions")
    subprocess.run(driver("perf", tmp_path, binary, 1), capture_output=True, check=True)
    with open(tmp_path / "script.txt", "rb") as lines:
        native = parse_perf_script(lines)
    rows = [i for i, row in enumerate(native.frames) if native.symbols[row["symbol"]] in {"seventy", "main"}]
    assert len(rows) >= 2
    for row, found in frame_sources(native, rows).items():
        function = native.symbols[native.frames["symbol"][row]]
        assert found.function and found.sampled, function
        assert {Path(found.function.file).name, Path(found.sampled.file).name} == {"collect_two_functions.cpp"}
        assert found.function.line in body("collect_two_functions", function)[:2]
        assert found.sampled.line in body("collect_two_functions", function)


@pytest.mark.parametrize("kind", [["-pie"], ["-no-pie"], ["-shared", "-fPIC"]], ids=" ".join)
def test_offsets_resolve_in_every_kind_of_binary(tmp_path: Path, kind: list[str]) -> None:
    """An offset in the file leads to its line in position-independent, fixed and shared binaries."""
    binary = tmp_path / "binary"
    source = PROGRAMS / "collect_two_functions.cpp"
    subprocess.run(["g++", "-O2", "-g", *kind, "-o", binary, source], check=True)
    symbols = subprocess.run(["nm", "-C", binary], capture_output=True, check=True, text=True).stdout
    address = next(int(line.split()[0], 16) for line in symbols.splitlines() if " seventy(" in line)
    segment = next(s for s in load_segments(binary) if s.address <= address < s.address + s.size)
    (line,) = source_lines(binary, [address - segment.address + segment.offset])
    assert line and line.line in body("collect_two_functions", "seventy")[:2]


def test_binaries_without_lines(tmp_path: Path) -> None:
    """Stripped, missing and foreign files have no lines, and are no error."""
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-o", stripped, build("collect_two_functions")], check=True)
    text = tmp_path / "text"
    text.write_text("no ELF")
    for binary in (stripped, text, tmp_path / "missing", tmp_path):
        assert source_lines(binary, [0x1200, 0x1300]) == [None, None]


def test_time_is_bounded() -> None:
    """When time runs out, the lines are unknown."""
    assert source_lines(build("collect_two_functions"), [0x1200], timeout_s=0.0001) == [None]


def test_answers_of_addr2line() -> None:
    """The enclosing function's line counts, not the inlined one's; unknown ones are left out."""
    text = "0x0000000000001000\n/h/vector.h:7\n/a b/x.cpp:12 (discriminator 3)\n0x0000000000002000\n??:0\n"
    assert parse_addr2line(text + "0x0000000000003000\n/a/y.cpp:?\n") == {0x1000: SourceLine("/a b/x.cpp", 12)}


def test_addresses_of_offsets() -> None:
    """An offset is moved by its segment; one between segments has no address."""
    segments = [Segment(0, 0x400000, 0x100), Segment(0x1000, 0x402000, 0x10)]
    assert [address_of(segments, o) for o in (0, 0x1008, 0x500)] == [0x400000, 0x402008, None]
