r"""The text of `perf script` into tables, line by line; files may have a hundred megabytes.

Grammar (perf 6.1, fields comm,pid,tid,time,period,event,ip,sym,symoff,dso,trace; the default fields are read
as well):

    file    = { sample | lost | comment | blank }
    sample  = header { frame } blank
    header  = comm pid "/" tid [ "[" cpu "]" ] seconds "." fraction ":" [ period ] event ":" [ trace ]
    frame   = TAB address ( symbol "+0x" offset | symbol | "[unknown]" ) "(" dso ")"
    lost    = comm pid "/" tid seconds "." fraction ": PERF_RECORD_LOST lost " count

Frames stand innermost first. `comm`, `symbol` and `dso` may hold spaces and parentheses. The address of a
user frame is its offset in the file of `dso`, of a kernel frame its virtual address (the topmost bit tells
them apart). `[unknown] ([unknown])` is a return address made up by a frame-pointer walk through code without
frame pointers: it and everything above it is dropped, and the stack is called broken.
"""

import re
from collections.abc import Iterable
from typing import Final

import numpy as np

from storeprof.collect.linux.native_samples import (
    CPU,
    FRAME_DTYPE,
    NO_ADDRESS,
    NONE,
    SAMPLE_DTYPE,
    STACK_DTYPE,
    SWITCH,
    NativeSamples,
)
from storeprof.errors import CollectorError

KERNEL_BIT: Final = 1 << 63
# File offsets end far below; an older perf prints virtual addresses of user frames, which are above.
LARGEST_OFFSET: Final = 1 << 40

_HEADER: Final = re.compile(
    rb"^\s*(?P<comm>.*?)\s+(?:(?P<pid>-?\d+)/)?(?P<tid>-?\d+)\s+(?:\[\d+\]\s+)?(?P<s>\d+)\.(?P<f>\d{6,9}):\s+"
    rb"(?:PERF_RECORD_LOST lost (?P<lost>\d+)|(?:(?P<period>\d+)\s+)?(?P<event>\S.*?):\s(?P<trace>.*))$"
)
_NAMED: Final = re.compile(rb"^\s*([0-9a-f]+) (.+)\+0x([0-9a-f]+) \((.*)\)$")
_BARE: Final = re.compile(rb"^\s*([0-9a-f]+) (.+?) \((\S.*)\)$")
_STATE: Final = re.compile(rb"prev_state=(\S)\S* ==> ")
_MARKS: Final = re.compile(r"^__GI_|(\.(isra|constprop|part|cold|lto_priv|llvm)(\.\d+)*)+$|@@?[\w.]+$")
# The outermost frames of complete stacks: main is enough where the C library before it has no frame pointer.
_ROOTS: Final = re.compile(
    r"^(_start|main|__libc_start_\w+|libc_start_main_stage2|start_thread|thread_start|__?_?clone3?|"
    r"ret_from_fork\w*|std::thread::_State_impl<.*>::_M_run|_dl_start_user|runtime\.(goexit|mstart|rt0_go).*)$"
)


def parse_perf_script(lines: Iterable[bytes]) -> NativeSamples:
    """Read the lines of `perf script`; raises CollectorError with number and text of a line it can't read.

    An input cut short in the middle of a line loses the sample it belongs to and nothing else.
    """
    reader = _Reader()
    cut_short = False
    for number, line in enumerate(lines, 1):
        try:
            reader.feed(line if line.endswith(b"\n") else line + b"\n")
        except _UnreadableError:
            cut_short = not line.endswith(b"\n")
            if not cut_short:
                text = line.decode(errors="replace").strip()[:120]
                raise CollectorError(f"perf script output, line {number}: cannot be read: {text!r}") from None
            reader.drop()
    reader.end_sample()
    return reader.tables(cut_short)


class _UnreadableError(Exception):
    pass


class _Names:
    """Numbers names in the order of their first use."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


class _Reader:
    """Collects rows. Equal frame lines and equal stacks are looked up, not read again: hence the speed."""

    def __init__(self) -> None:
        self._symbols, self._dsos = _Names(), _Names()
        self._comms: dict[int, str] = {}
        self._lost = 0
        self._leaf_lines: dict[bytes, int] = {}
        self._caller_lines: dict[bytes, int] = {}
        self._frames: list[tuple[int, int, int, int, bool, bool]] = []
        self._is_root: list[bool] = []
        self._frame_numbers: dict[tuple[int, int, int, int, bool, bool], int] = {}
        self._trie: dict[tuple[int, int], int] = {}
        self._known: dict[tuple[int, ...], tuple[int, bool]] = {}
        self._rows: list[tuple[int, int, int, int, int, int, bytes, bool]] = []
        self._header: tuple[int, int, int, int, int, bytes] | None = None
        self._stack: list[int] = []

    def feed(self, line: bytes) -> None:
        if line[:1] == b"\t" or (line[:1] == b" " and self._header is not None and _BARE.match(line)):
            lines = self._caller_lines if self._stack else self._leaf_lines
            frame = lines.get(line)
            self._stack.append(self._read_frame(line, lines) if frame is None else frame)
        elif line == b"\n":
            self.end_sample()
        elif line[:1] != b"#":
            self.end_sample()
            self._read_header(line)

    def drop(self) -> None:
        self._header = None
        self._stack = []

    def end_sample(self) -> None:
        if self._header is None:
            return
        key = tuple(self._stack)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._read_stack(key)
        stack, broken = found
        t_ns, pid, tid, weight, kind, state = self._header
        self._rows.append((t_ns, pid, tid, weight, stack, kind, state, broken))
        self.drop()

    def _read_header(self, line: bytes) -> None:
        match = _HEADER.match(line)
        if match is None:
            raise _UnreadableError
        if match["lost"]:
            self._lost += int(match["lost"])
            return
        tid = int(match["tid"])
        pid = int(match["pid"] or tid)
        self._comms[tid] = match["comm"].decode(errors="replace")
        t_ns = int(match["s"]) * 1_000_000_000 + int(match["f"].ljust(9, b"0"))
        kind, state = CPU, b""
        if b"sched_switch" in match["event"]:
            kind = SWITCH
            found = _STATE.search(match["trace"])
            state = found[1] if found else b""
        self._header = (t_ns, pid, tid, int(match["period"] or 1), kind, state)

    def _read_frame(self, line: bytes, lines: dict[bytes, int]) -> int:
        """The number of the frame on a line not seen before; -1 for an address that lies in no mapping."""
        named = _NAMED.match(line)
        bare = None if named else _BARE.match(line)
        if named:
            address, symbol, past, dso = int(named[1], 16), named[2], int(named[3], 16), named[4]
        elif bare:
            address, symbol, past, dso = int(bare[1], 16), bare[2], 0, bare[3]
        else:
            raise _UnreadableError
        if symbol == b"[unknown]" and dso == b"[unknown]":
            lines[line] = -1
            return -1
        name = plain_symbol(symbol.decode(errors="replace"))
        in_file = dso.startswith(b"/") and not dso.startswith(b"//") and address < LARGEST_OFFSET
        row = (
            self._symbols.number(name),
            self._dsos.number(dso.decode(errors="replace")),
            address if in_file else NO_ADDRESS,
            address - past if in_file and named else NO_ADDRESS,
            lines is self._caller_lines,
            address >= KERNEL_BIT,
        )
        number = self._frame_numbers.setdefault(row, len(self._frames))
        if number == len(self._frames):
            self._frames.append(row)
            self._is_root.append(_ROOTS.match(name) is not None)
        lines[line] = number
        return number

    def _read_stack(self, innermost_first: tuple[int, ...]) -> tuple[int, bool]:
        """The row of the trie for a stack, and whether the stack is broken."""
        made_up = -1 in innermost_first
        frames = innermost_first[: innermost_first.index(-1)] if made_up else innermost_first
        stack = NONE
        for frame in reversed(frames):
            stack = self._trie.setdefault((stack, frame), len(self._trie))
        return stack, made_up or not self._complete(frames)

    def _complete(self, frames: tuple[int, ...]) -> bool:
        # Without user frames there was nothing to unwind: a kernel thread, or a process on its way in or out.
        return bool(frames) and (self._frames[frames[-1]][5] or any(self._is_root[f] for f in frames[-3:]))

    def tables(self, cut_short: bool) -> NativeSamples:
        return NativeSamples(
            samples=np.array(self._rows, dtype=SAMPLE_DTYPE),
            stacks=np.array(list(self._trie), dtype=STACK_DTYPE),
            frames=np.array(self._frames, dtype=FRAME_DTYPE),
            symbols=tuple(self._symbols.numbers),
            dsos=tuple(self._dsos.numbers),
            thread_names=self._comms,
            lost=self._lost,
            cut_short=cut_short,
        )


def plain_symbol(symbol: str) -> str:
    """A function's name without marks of compiler and linker (`f.isra.0`, `read@@GLIBC_2.2.5`, `__GI_f`)."""
    return _MARKS.sub("", symbol) or symbol
