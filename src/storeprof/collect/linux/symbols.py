"""Source files and lines of native functions, by addr2line: one run per binary, bounded in time."""

import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storeprof.collect.linux.elf import address_of, load_segments
from storeprof.collect.linux.native_samples import NO_ADDRESS, NativeSamples
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError

# A binary of 200 MB of debug information takes addr2line tens of seconds: its functions go without lines.
BINARY_BUDGET_S: Final = 10.0
_ANSWER: Final = re.compile(r"^(.+):(\d+)(?: \(discriminator \d+\))?$")


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A place in a source file, as the compiler recorded it."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class FrameSource:
    """Where a frame's function begins, and the line the frame was on; None where unknown."""

    function: SourceLine | None
    sampled: SourceLine | None


def source_lines(binary: Path, offsets: Sequence[int], timeout_s: float = BINARY_BUDGET_S) -> list[SourceLine | None]:
    """The source line of each file offset in `binary`, in order; None where unknown or when time runs out.

    A binary without debug information, a deleted one, or one that is no ELF file has no lines.
    """
    segments = load_segments(binary)
    addresses = [address_of(segments, offset) for offset in offsets]
    asked = sorted({address for address in addresses if address is not None})
    if not asked or shutil.which("addr2line") is None:
        return [None] * len(offsets)
    answers = _addr2line(binary, asked, timeout_s)
    return [None if address is None else answers.get(address) for address in addresses]


def frame_sources(
    native: NativeSamples, frames: Iterable[int], budget_s: float = 2 * BINARY_BUDGET_S
) -> dict[int, FrameSource]:
    """The sources of rows of `native.frames`, binaries with most frames first; `budget_s` bounds them all."""
    by_binary: dict[str, list[int]] = defaultdict(list)
    found: dict[int, FrameSource] = {}
    for row in frames:
        found[row] = FrameSource(None, None)
        if int(native.frames["offset"][row]) != NO_ADDRESS:
            by_binary[native.dsos[native.frames["dso"][row]]].append(row)
    deadline = time.monotonic() + budget_s
    for binary, rows in sorted(by_binary.items(), key=lambda item: -len(item[1])):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        wanted = [_sampled_offset(native, row) for row in rows]
        wanted += [int(native.frames["function_offset"][row]) for row in rows]
        lines = source_lines(Path(binary), wanted, min(BINARY_BUDGET_S, remaining))
        for row, sampled, function in zip(rows, lines[: len(rows)], lines[len(rows) :], strict=True):
            found[row] = FrameSource(function, sampled)
    return found


def _sampled_offset(native: NativeSamples, row: int) -> int:
    """Within the call for a caller: its return address can already belong to the next statement."""
    return int(native.frames["offset"][row]) - int(native.frames["is_caller"][row])


def _addr2line(binary: Path, addresses: Sequence[int], timeout_s: float) -> dict[int, SourceLine]:
    argv = ["addr2line", "-a", "-i", "-e", str(binary)]
    questions = "".join(f"{address:#x}\n" for address in addresses).encode()
    try:
        result = run_tool(argv, timeout_s=timeout_s, input=questions)
    except CollectorError:
        return {}
    if result.timed_out:
        return {}
    return parse_addr2line(result.stdout.decode(errors="replace"))


def parse_addr2line(answers: str) -> dict[int, SourceLine]:
    """Read `addr2line -a -i`: an address, then `file:line` for each inlined function, the enclosing one last.

    The last one counts: the line in the function that the frame is named after, not in a library header
    that was inlined there. Unknown parts are `??` or `?`.
    """
    found: dict[int, SourceLine] = {}
    address = -1
    for answer in answers.splitlines():
        if answer.startswith("0x"):
            address = int(answer, 16)
            continue
        match = _ANSWER.match(answer)
        if match and match[1] != "??" and int(match[2]) > 0:
            found[address] = SourceLine(match[1], int(match[2]))
    return found
