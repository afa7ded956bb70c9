"""What a binary says of how it was built: whether a profile of it can be believed.

Read from the file itself: sections and symbols of ELF, compilers' command lines in the debug information
(`DW_AT_producer`), and where these are missing the first instructions of its functions. Only readelf and nm are run.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from storeprof.collect.linux.frame_pointers import frame_pointer_share
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError

READELF_TIMEOUT_S: Final = 60.0
LARGEST: Final = 1 << 29
SYMTAB: Final = 2
DYNSYM: Final = 11
SYMBOL_BYTES: Final = 24
# Below this share, stacks by frame pointer break; leaves and functions of a runtime never save one.
FEW: Final = 0.25
_SANITIZERS: Final = {
    b"__asan_init": "AddressSanitizer",
    b"__tsan_init": "ThreadSanitizer",
    b"__msan_init": "MemorySanitizer",
    b"__lsan_init": "LeakSanitizer",
    b"__ubsan_handle_type_mismatch_v1": "UndefinedBehaviorSanitizer",
    b"__ubsan_handle_add_overflow": "UndefinedBehaviorSanitizer",
}
_LIBRARIES: Final = {
    b"libasan.so": "AddressSanitizer",
    b"libtsan.so": "ThreadSanitizer",
    b"liblsan.so": "LeakSanitizer",
}
_PRODUCER: Final = re.compile(r"DW_AT_producer\s*:.*?((?:GNU|clang|rustc|.*clang version).*)$", re.MULTILINE)
_KEEPS_FRAME: Final = re.compile(r"\s-(fno-omit-frame-pointer|pg?)(?=\s|$)")
_OPTIMIZES: Final = re.compile(r"\s-O([123sgz]|fast)?(?=\s|$)")


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """What is known of a build; None where the file does not say.

    `optimized`: share of compilation units built with optimization; `frame_pointers`: share of functions that save one.
    """

    path: Path
    symbols: bool
    debug_information: bool
    optimized: float | None = None
    frame_pointers: float | None = None
    sanitizer: str | None = None
    gprof: bool = False

    def warnings(self) -> list[tuple[str, str]]:
        """(what misleads, what to do) of this build, the worst first."""
        found = []
        if self.sanitizer:
            found.append(
                (f"built with {self.sanitizer}: times and memory are those of the checks", "build without -fsanitize")
            )
        if self.optimized is not None and self.optimized < 0.5:
            found.append(
                ("built without optimization (-O0): its hot spots are not those of a release", "build with -O2 -g")
            )
        if not self.symbols:
            found.append(("stripped: functions have no names", "keep the symbols: no -s, no strip"))
        if self.frame_pointers is not None and self.frame_pointers < FEW:
            found.append(
                (
                    "built without frame pointers: stacks by frame pointer break",
                    "build with -fno-omit-frame-pointer; or keep DWARF unwinding, the default",
                )
            )
        if self.gprof:
            found.append(("built with -pg: each call costs a count", "build without -pg for timings"))
        if self.symbols and not self.debug_information:
            found.append(
                (
                    "without debug information: functions have no lines, and whether it was optimized is not said",
                    "build with -O2 -g",
                )
            )
        return found


def build_facts(path: Path) -> BuildFacts | None:
    """Facts of a 64-bit little-endian ELF file; None for another kind of file, or one that can't be read."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        data = path.read_bytes()
        if data[:6] != b"\x7fELF\x02\x01":
            return None
        sections = _sections(data)
        names = {name for name, _ in sections}
        known = _symbols(data, sections, SYMTAB) | _symbols(data, sections, DYNSYM)
    except (OSError, struct.error, IndexError, ValueError):
        return None
    debug = ".debug_info" in names
    optimized, keeps = _compiled(path) if debug else (None, None)
    keeps = frame_pointer_share(path) if keeps is None else keeps
    needed = next(
        (data[row["offset"] : row["offset"] + row["size"]] for name, row in sections if name == ".dynstr"), b""
    )
    return BuildFacts(
        path,
        symbols=any(row["type"] == SYMTAB for _, row in sections),
        debug_information=debug,
        optimized=optimized,
        frame_pointers=keeps,
        sanitizer=_sanitizer(known, needed),
        gprof=bool(known & {b"mcount", b"_mcount", b"__fentry__"}),
    )


def _sections(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count, strings = struct.unpack_from("<HHH", data, 58)
    keys = ("name", "type", "flags", "address", "offset", "size", "link", "info", "align", "entry")
    rows = [
        dict(zip(keys, struct.unpack_from("<IIQQQQIIQQ", data, start + size * at), strict=True)) for at in range(count)
    ]
    return [(_text(data, rows[strings]["offset"] + row["name"]).decode(errors="replace"), row) for row in rows]


def _text(data: bytes, at: int) -> bytes:
    return data[at : data.index(b"\0", at)]


def _symbols(data: bytes, sections: list[tuple[str, dict[str, Any]]], kind: int) -> set[bytes]:
    """Names in the symbol tables of a kind, without versions."""
    found: set[bytes] = set()
    for _, table in sections:
        if table["type"] == kind:
            strings = sections[table["link"]][1]["offset"]
            for at in range(table["offset"], table["offset"] + table["size"], SYMBOL_BYTES):
                found.add(_text(data, strings + struct.unpack_from("<I", data, at)[0]).split(b"@")[0])
    return found


def _sanitizer(symbols: set[bytes], needed: bytes) -> str | None:
    for symbol, name in _SANITIZERS.items():
        if symbol in symbols:
            return name
    return next((name for library, name in _LIBRARIES.items() if library in needed), None)


def _compiled(path: Path) -> tuple[float | None, float | None]:
    """Shares of compilation units that are optimized, and that keep frame pointers; None when they do not say."""
    argv = ["readelf", "--debug-dump=info", "--dwarf-depth=1", "--wide", str(path)]
    try:
        done = run_tool(argv, timeout_s=READELF_TIMEOUT_S)
    except CollectorError:
        return None, None
    producers = _PRODUCER.findall(done.stdout.decode(errors="replace"))
    # gcc records its options; clang only with -grecord-command-line, and then nothing is known.
    telling = [one for one in producers if " -" in one and "GNU AS" not in one]
    if not telling:
        return None, None
    optimized = [bool(_OPTIMIZES.search(one)) for one in telling]
    keeps = [not fast or bool(_KEEPS_FRAME.search(one)) for fast, one in zip(optimized, telling, strict=True)]
    return sum(optimized) / len(telling), sum(keeps) / len(telling)
