"""As much of ELF as it takes to turn an offset in a file into the address that debug information knows."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

PT_LOAD: Final = 1
PT_INTERP: Final = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file that is mapped: `size` bytes at `offset` of the file lie at `address`."""

    offset: int
    address: int
    size: int


def load_segments(path: Path) -> list[Segment]:
    """The loaded segments of a 64-bit little-endian ELF file; empty for another kind of file or none."""
    try:
        with open(path, "rb") as file:
            return _read_segments(file)
    except (OSError, struct.error):
        return []


def address_of(segments: list[Segment], offset: int) -> int | None:
    """The address at which the byte at `offset` of the file is linked; None when it is not loaded."""
    for segment in segments:
        if segment.offset <= offset < segment.offset + segment.size:
            return offset - segment.offset + segment.address
    return None


def offset_of(segments: list[Segment], address: int) -> int | None:
    """The offset in the file of what is linked at an address; None when no loaded part of the file is."""
    for segment in segments:
        if segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    return None


def _program_headers(file: BinaryIO) -> list[tuple[int, int, int, int]]:
    """(type, offset, address, size in the file) of each program header; none in another kind of file."""
    header = file.read(64)
    if header[:6] != b"\x7fELF\x02\x01":
        return []
    (table,) = struct.unpack_from("<Q", header, 32)
    entry_size, entries = struct.unpack_from("<HH", header, 54)
    file.seek(table)
    rows = file.read(entry_size * entries)
    found = (struct.unpack_from("<IIQQQQ", rows, start) for start in range(0, entry_size * entries, entry_size))
    return [(kind, offset, address, size) for kind, _, offset, address, _, size in found]


def _read_segments(file: BinaryIO) -> list[Segment]:
    return [Segment(offset, address, size) for kind, offset, address, size in _program_headers(file) if kind == PT_LOAD]


def interpreter_of(path: Path) -> str | None:
    """The loader that a 64-bit little-endian ELF file names; None for a static one or another kind of file."""
    try:
        with open(path, "rb") as file:
            for kind, offset, _, size in _program_headers(file):
                if kind == PT_INTERP:
                    file.seek(offset)
                    return file.read(size).rstrip(b"\0").decode(errors="replace")
    except (OSError, struct.error):
        return None
    return None
