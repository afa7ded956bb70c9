"""Which PROFILE_ macros stand in an ELF file, entered or not: each leaves a static object with its name, file and line.

Its symbol (`storeprof_site_0` of a function) says where the object is and in which function; the object points to the
texts, by an address in place or by a relocation.
"""

from __future__ import annotations

import re
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from storeprof.collect.linux.elf import load_segments, offset_of
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError

Array = np.ndarray[Any, Any]
SYMBOLS: Final = 2  # types of sections
RELOCATIONS: Final = 4
MOST_BYTES: Final = 512 << 20  # of one section
MOST_TEXT: Final = 65536
DEMANGLE_S: Final = 10.0
_SITE: Final = re.compile(rb"(?<=\0)_Z[^\0]*storeprof_site_\d[^\0]*(?=\0)")
_SECTION: Final = struct.Struct("<IIQQQQII16x")  # name, type, flags, address, offset, size, link, info
_SYMBOL: Final = np.dtype([("name", "<u4"), ("info", "V4"), ("address", "<u8"), ("size", "<u8")])
_RELOCATION: Final = np.dtype([("at", "<u8"), ("info", "<u8"), ("addend", "<i8")])


@dataclass(frozen=True, slots=True)
class CompiledProbe:
    """One site: its name as written, its place, and the function it stands in (demangled; mangled without binutils)."""

    name: str
    file: str
    line: int
    function: str


def compiled_probes(binary: Path) -> list[CompiledProbe]:
    """The sites in a 64-bit little-endian ELF file; none in another kind of file, a missing or a stripped one."""
    try:
        with open(binary, "rb") as file:
            sections = _sections(file)
            symbols = _site_symbols(file, sections)
            if not symbols:
                return []
            relocations = _relocations(file, sections)
            found = [(symbol, _site(file, binary, address, relocations)) for symbol, address in symbols.items()]
    except (OSError, struct.error, ValueError):
        return []
    functions = _functions([symbol for symbol, _ in found])
    return [CompiledProbe(*site, functions[symbol]) for symbol, site in found if site is not None]


def _sections(file: BinaryIO) -> list[tuple[Any, ...]]:
    header = file.read(64)
    if header[:6] != b"\x7fELF\x02\x01":
        return []
    (table,) = struct.unpack_from("<Q", header, 40)
    entry_size, entries = struct.unpack_from("<HH", header, 58)
    file.seek(table)
    rows = file.read(entry_size * entries)
    return [_SECTION.unpack_from(rows, start) for start in range(0, entry_size * entries, entry_size)]


def _read(file: BinaryIO, section: tuple[Any, ...]) -> bytes:
    file.seek(section[4])
    return file.read(section[5]) if section[5] <= MOST_BYTES else b""


def _site_symbols(file: BinaryIO, sections: list[tuple[Any, ...]]) -> dict[bytes, int]:
    """Mangled names of the sites' objects, and where each is linked."""
    found: dict[bytes, int] = {}
    for section in sections:
        if section[1] != SYMBOLS:
            continue
        text = _read(file, sections[section[6]])
        names = {match.start(): match.group() for match in _SITE.finditer(text)}
        if names:
            rows = np.frombuffer(_read(file, section), dtype=_SYMBOL)
            picked = rows[np.isin(rows["name"], list(names)) & (rows["address"] > 0)]
            found |= {names[at]: address for at, address in zip(*_lists(picked, "name", "address"), strict=True)}
    return found


def _relocations(file: BinaryIO, sections: list[tuple[Any, ...]]) -> dict[int, int]:
    parts = [np.frombuffer(_read(file, one), dtype=_RELOCATION) for one in sections if one[1] == RELOCATIONS]
    return {at: to for rows in parts for at, to in zip(*_lists(rows, "at", "addend"), strict=True)}


def _lists(rows: Array, *columns: str) -> tuple[list[int], ...]:
    return tuple(rows[column].tolist() for column in columns)


def _site(file: BinaryIO, binary: Path, address: int, relocations: dict[int, int]) -> tuple[str, str, int] | None:
    """Name, file and line of the object at an address; None when its texts are not in the file."""
    segments = load_segments(binary)

    def read(at: int, size: int) -> bytes:
        offset = offset_of(segments, at)
        if offset is None:
            return b""
        file.seek(offset)
        return file.read(size)

    name, place, line = struct.unpack("<QQI", read(address, 20).ljust(20, b"\0"))
    texts = [
        read(relocations.get(address + 8 * at, pointer), MOST_TEXT).partition(b"\0")[0]
        for at, pointer in enumerate((name, place))
    ]
    if not texts[0]:
        return None
    return texts[0].decode("utf-8", "replace"), texts[1].decode("utf-8", "replace"), line


def _functions(symbols: list[bytes]) -> dict[bytes, str]:
    """The function that each site stands in."""
    spelled = [symbol.decode(errors="replace") for symbol in symbols]
    if shutil.which("c++filt"):
        try:
            done = run_tool(["c++filt"], timeout_s=DEMANGLE_S, input=("\n".join(spelled) + "\n").encode())
        except CollectorError:
            pass
        else:
            lines = done.stdout.decode(errors="replace").splitlines()
            spelled = lines if len(lines) == len(symbols) else spelled
    return {
        symbol: name.rpartition("::storeprof_site_")[0] or name for symbol, name in zip(symbols, spelled, strict=True)
    }
