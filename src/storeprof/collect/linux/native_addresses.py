"""Return addresses of a process -> frames with symbol and place in their binary, by its mappings and `nm`."""

import bisect
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from storeprof.collect.linux.elf import Segment, address_of, load_segments, offset_of
from storeprof.collect.linux.native_samples import (
    FRAME_DTYPE,
    NO_ADDRESS,
    NONE,
    SAMPLE_DTYPE,
    STACK_DTYPE,
    UNKNOWN,
    NativeSamples,
)
from storeprof.collect.linux.perf_script import plain_symbol
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError

# A binary whose symbols take longer than this keeps addresses without names.
BUDGET_S: Final = 10.0
_CODE: Final = frozenset("tTwWiuV")
Mapping = Sequence[Any]  # start, end, file offset, path


class SymbolTable:
    """Functions of one ELF file by address; empty when it can't be read."""

    def __init__(self, binary: Path, timeout_s: float) -> None:
        self._segments: list[Segment] = load_segments(binary)
        rows = self._read(binary, timeout_s, "-n") or self._read(binary, timeout_s, "-nD")
        self._starts = [start for start, _ in rows]
        self._names = [name for _, name in rows]

    def _read(self, binary: Path, timeout_s: float, order: str) -> list[tuple[int, str]]:
        try:
            result = run_tool(["nm", order, "-C", "--defined-only", str(binary)], timeout_s=timeout_s)
        except CollectorError:
            return []
        parts = (line.split(" ", 2) for line in result.stdout.decode(errors="replace").splitlines())
        return [(int(part[0], 16), part[2]) for part in parts if len(part) == 3 and part[1] in _CODE]

    def at(self, offset: int) -> tuple[str, int]:
        """The function around an offset of the file, and the offset at which it begins."""
        address = address_of(self._segments, offset)
        at = -1 if address is None else bisect.bisect_right(self._starts, address) - 1
        start = offset_of(self._segments, self._starts[at]) if at >= 0 else None
        return (UNKNOWN, NO_ADDRESS) if start is None else (plain_symbol(self._names[at]), start)


def resolve_stacks(
    stacks: Sequence[Sequence[int]], maps: Sequence[Sequence[Mapping]]
) -> tuple[NativeSamples, list[int]]:
    """Stacks of return addresses (leaf first) as interned frames and stacks, without samples.

    `maps`: what was mapped, oldest first; a later one counts first. Also returns the number of each stack's leaf, -1
    for an empty stack.
    """
    known = sorted({address for stack in stacks for address in stack})
    frames, symbols, dsos = _frames(known, [sorted(one, key=lambda row: int(row[0])) for one in reversed(maps)])
    row_of = {address: row for row, address in enumerate(known)}
    interned: dict[tuple[int, int], int] = {}
    leaves = []
    for stack in stacks:
        parent = NONE
        for address in reversed(stack):
            parent = interned.setdefault((parent, row_of[address]), len(interned))
        leaves.append(-1 if parent == NONE else parent)
    table = np.array(list(interned), dtype=np.uint32).reshape(-1, 2)
    rows = np.zeros(len(table), dtype=STACK_DTYPE)
    rows["parent"], rows["frame"] = table[:, 0], table[:, 1]
    return NativeSamples(np.zeros(0, dtype=SAMPLE_DTYPE), rows, frames, symbols, dsos, {}), leaves


def _frames(addresses: Sequence[int], maps: list[list[Mapping]]) -> tuple[Any, list[str], list[str]]:
    frames = np.zeros(len(addresses), dtype=FRAME_DTYPE)
    symbols: dict[str, int] = {}
    dsos: dict[str, int] = {}
    tables: dict[str, SymbolTable] = {}
    deadline = time.monotonic() + BUDGET_S
    for row, address in enumerate(addresses):
        path, offset = _mapped(address - 1, maps)  # within the call: the next instruction can be another function's
        if path not in tables:
            tables[path] = SymbolTable(Path(path), max(0.1, deadline - time.monotonic()))
        symbol, start = tables[path].at(offset)
        frames[row] = (
            symbols.setdefault(symbol, len(symbols)), dsos.setdefault(path, len(dsos)),
            NO_ADDRESS if start == NO_ADDRESS else offset + 1, start, True, False,
        )  # fmt: skip
    return frames, list(symbols), list(dsos)


def _mapped(address: int, maps: list[list[Mapping]]) -> tuple[str, int]:
    """The file an address belonged to, and its offset there."""
    for mappings in maps:
        at = bisect.bisect_right(mappings, address, key=lambda one: one[0]) - 1
        if at >= 0 and address < mappings[at][1]:
            start, _, offset, path = mappings[at]
            return path, address - start + offset
    return UNKNOWN, 0
