"""Dynamic symbols of an image as it is mapped in another process.

Looked up through its GNU hash table in memory, not in the file: this works in another mount namespace and after the
file was replaced, and reads a few hundred bytes instead of the whole table.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

PT_LOAD, PT_DYNAMIC = 1, 2
DT_STRTAB, DT_SYMTAB, DT_GNU_HASH = 5, 6, 0x6FFFFEF5
MOST_LINKS = 1000  # of one hash bucket
MOST_BYTES = 65536  # of the dynamic section


class ProcessMemory:
    """The memory of a process, by /proc/PID/mem; OSError says why it can't be read."""

    def __init__(self, pid: int) -> None:
        self._fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> ProcessMemory:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def read(self, address: int, size: int) -> bytes:
        """Exactly so many bytes."""
        data = os.pread(self._fd, size, address) if address < 1 << 63 else b""
        if len(data) != size:
            raise OSError(0, "unmapped meanwhile")
        return data

    def u32(self, address: int) -> int:
        """One 32-bit word."""
        return int.from_bytes(self.read(address, 4), "little")

    def u64(self, address: int) -> int:
        """One 64-bit word."""
        return int.from_bytes(self.read(address, 8), "little")


def images(pid: int) -> Iterator[tuple[str, int]]:
    """Path and base address of the mapped files of a process, from their beginning."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            place, _, offset, _, _, *path = line.rstrip("\n").split(None, 5)
            if path and int(offset, 16) == 0:
                yield path[0], int(place.partition("-")[0], 16)


class MappedImage:
    """One ELF image; it has no symbols when it is none, or has no GNU hash table."""

    def __init__(self, memory: ProcessMemory, base: int) -> None:
        self._memory = memory
        self._base = base
        self._tables: dict[int, int] = {}
        header = memory.read(base, 64)
        if header.startswith(b"\x7fELF\x02"):
            self._read_dynamic(*struct.unpack_from("<Q", header, 32), *struct.unpack_from("<H", header, 56))

    def _read_dynamic(self, segments_at: int, count: int) -> None:
        raw = self._memory.read(self._base + segments_at, 56 * count)
        segments = [
            (kind, address, size) for kind, _, _, address, _, _, size, _ in struct.iter_unpack("<IIQQQQQQ", raw)
        ]
        loaded = [address & ~0xFFF for kind, address, _ in segments if kind == PT_LOAD]
        self._bias = self._base - min(loaded, default=0)
        for kind, address, size in segments:
            if kind == PT_DYNAMIC and size <= MOST_BYTES:
                entries = self._memory.read(self._bias + address, size - size % 16)
                for tag, value in struct.iter_unpack("<QQ", entries):
                    # glibc relocates these in place, musl does not.
                    self._tables[tag] = value if value >= self._base else value + self._bias

    def symbol(self, name: str) -> int:
        """Address of a defined symbol; 0 when there is none."""
        if not {DT_SYMTAB, DT_STRTAB, DT_GNU_HASH} <= self._tables.keys():
            return 0
        wanted = 5381
        for letter in name.encode():
            wanted = (wanted * 33 + letter) & 0xFFFFFFFF
        table = self._tables[DT_GNU_HASH]
        bucket_count, first_symbol, bloom_words, _ = struct.unpack("<4I", self._memory.read(table, 16))
        buckets = table + 16 + 8 * bloom_words
        index = self._memory.u32(buckets + 4 * (wanted % bucket_count)) if bucket_count else 0
        for step in range(index, index + MOST_LINKS if index >= max(first_symbol, 1) else index):
            link = self._memory.u32(buckets + 4 * (bucket_count + step - first_symbol))
            found = self._address_if_named(step, name) if link | 1 == wanted | 1 else 0
            if found or link & 1:
                return found
        return 0

    def _address_if_named(self, index: int, name: str) -> int:
        symbol = self._memory.read(self._tables[DT_SYMTAB] + 24 * index, 24)
        text_at, _, _, section, value = struct.unpack_from("<IBBHQ", symbol)
        text = self._memory.read(self._tables[DT_STRTAB] + text_at, len(name) + 1)
        return int(self._bias + value) if text == name.encode() + b"\0" and section else 0
