"""The memory in which one program's probe counts, record by record (docs/formats/shared-memory.md)."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Container, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BUCKETS = 720
BLOCK_LINES, NODE_LINES, TAG_LINES, NAME_LINES = 457, 46, 1, 1  # of 64 bytes; a name's text is more
UNKNOWN = ("?", "", 0)
# Of a scope, of one that is only counted, of a memory tag; and what Python adds to a function, a block and a tag.
COSTS = ("floor_ticks", "counted_ticks", "tag_ticks", "function_ns", "block_ns", "tag_call_ns")
SLICES, SLICES_AT, SLICES_LINES = 256, 386, 64  # of a thread block: entries, and lines of 64 bytes
LOCK = "storeprof:lock@"  # in place of a file, with the lock's address in hexadecimal digits
OWN = ("storeprof: what a probe costs", "(suspended)", "?")  # names that are no site of the program's
STAYS = {"storeprof:held": "hold", "storeprof:waited": "wait"}  # in place of a file: of threads at a lock of that name
DETACHED = "storeprof:detached"  # in place of a file: the function is not counted any more


class ProbeMemory:
    """A mapping of the shared memory, which stays when the program is gone.

    `words` and `quads` are its 64-byte lines as rows of u32 and of u64. A counter is one aligned word: copying it never
    tears it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = os.dup(fd)
        self._names: dict[int, tuple[str, str, int]] = {}
        self.words: Array = np.zeros((0, 16), dtype="<u4")
        self.refresh()

    def __del__(self) -> None:
        os.close(self._fd)

    def refresh(self) -> None:
        """Map what the program has added."""
        size = os.fstat(self._fd).st_size
        if size > self.words.nbytes:
            self._bytes = mmap.mmap(self._fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
            self.words = np.frombuffer(self._bytes, dtype="<u4").reshape(-1, 16)
            self.quads = np.frombuffer(self._bytes, dtype="<u8").reshape(-1, 8)

    def header(self) -> dict[str, Any]:
        """How the probe counts time: its clock, one moment on it, and what it costs in ticks (None: unknown)."""
        quads = self.quads.ravel()
        costs = zip(COSTS, quads[14 : 14 + len(COSTS)].tolist(), strict=True)
        return {
            "clock": int(self.words[0, 9]),
            "anchor_ticks": int(quads[11]),
            "anchor_ns": int(quads[12]),
            **{name: thousandths / 1000 or None for name, thousandths in costs},
        }

    def gate_address(self) -> int:
        """Where in the program's memory its gate stands."""
        return int(self.quads.ravel()[6])

    def first_block(self) -> int:
        """Line of the newest thread block."""
        return int(self.words[1, 2])

    def firsts_of(self, block: int) -> tuple[int, int]:
        """Lines of a block's newest node and newest memory tag."""
        return int(self.words[block, 10]), int(self.words[block, 11])

    def last_timed(self, block: int) -> tuple[int, int]:
        """Line of a node, and the bucket, of the call that a block's histograms don't hold yet; (0, 0): none."""
        packed = int(self.quads[block, 7])  # at once: two words could belong to two calls
        return (packed >> 32, packed & 0xFFFFFFFF) if packed & 0xFFFFFFFF < BUCKETS else (0, 0)

    def slices(self, block: int, known: int) -> tuple[int, Array]:
        """How many slices a block has finished, and rows (operations | only counted << 32, CPU ns) of the last ones.

        Those after the first `known`, as far as they are still there.
        """
        ring = self.quads[block + SLICES_AT : block + SLICES_AT + SLICES_LINES].reshape(SLICES, 2)
        done = int(self.quads[block, 6])
        copy = ring[np.arange(max(known, done - SLICES + 1), done) % SLICES]
        overwritten = max(0, int(self.quads[block, 6]) - SLICES + 1 - max(known, done - SLICES + 1))
        return done, copy[overwritten:]

    def detached(self) -> list[str]:
        """Names of the functions that are not counted any more."""
        self.name(-1)  # reads all there are
        return [name for name, file, _ in self._names.values() if file == DETACHED]

    def locks(self) -> dict[str, str]:
        """Names of locks by their addresses in hexadecimal digits; the newest where an address was used again."""
        self.name(-1)
        named = sorted((number, name, file) for number, (name, file, _) in self._names.items())
        return {file.removeprefix(LOCK): name for _, name, file in named if file.startswith(LOCK)}

    def sites(self, known: int) -> Iterator[tuple[int, str, str, int]]:
        """Number, name, file and line of the sites whose numbers are above `known`: they may never be entered."""
        self.name(-1)
        for number in range(known + 1, max(self._names, default=0) + 1):
            name, file, line = self._names.get(number, UNKNOWN)
            if not file.startswith("storeprof:") and not name.startswith(OWN):
                yield number, name, file, line

    def linked(self, first: int, known: Container[int], lines: int, next_word: int = 0) -> Iterator[int]:
        """Records of (at least) so many lines, linked by one of their words: from the newest to the first known one."""
        for _ in range(len(self.words)):  # no list is longer, whatever the program has done to it
            if not 0 < first <= len(self.words) - lines or first in known:
                return
            yield first
            first = int(self.words[first, next_word])

    def name(self, number: int) -> tuple[str, str, int]:
        """Name, file and line in the source."""
        if number not in self._names:
            for line in self.linked(int(self.words[1, 3]), (), NAME_LINES):  # the list begins with the newest
                found, name, file, source_line = struct.unpack_from("<IHHI", self._bytes, line * 64 + 4)
                if found in self._names:
                    break
                text = self._bytes[line * 64 + 16 : line * 64 + 16 + name + file]
                self._names[found] = (_text(text[:name]), _text(text[name:]), source_line)
        return self._names.get(number, UNKNOWN)


def _text(utf8: bytes) -> str:
    return utf8.decode("utf-8", "replace")
