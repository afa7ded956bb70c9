"""Whether a version's offsets fit the interpreter they are meant for: what they lead to must be what they say it is.

A wrong offset would not crash the sampler, which believes nothing it reads, but could give stacks that never were.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from storeprof.observe.mapped_image import ProcessMemory
from storeprof.observe.python_offsets import Offsets

ATTEMPTS = 8  # the program runs on meanwhile: a stack that moves while it is read proves nothing
MOST_THREADS = 256
MOST_STACKS, MOST_FRAMES = 16, 64
_CHUNK_BYTES = range(4096, (16 << 20) + 1)
_LINES = range(-1, 10_000_000)


@dataclass(frozen=True)
class Place:
    """Addresses of exported symbols: _PyRuntime, and the types of code, str and bytes."""

    runtime: int
    code_type: int
    str_type: int
    bytes_type: int


class NotReadyError(Exception):
    """The interpreter is still being made, or runs no Python code at this moment."""


class MisfitError(Exception):
    """What does not fit, in a few words. Once proves little: the program ran on while it was read."""


def check_offsets(pid: int, memory: ProcessMemory, place: Place, offsets: Offsets) -> None:
    """Follow the offsets from the interpreter to a thread's frames and their code.

    Raises MisfitError when they do not fit, NotReadyError when there is nothing to follow yet.
    """
    misfit = ""
    for _ in range(ATTEMPTS):
        try:
            _Walk(pid, memory, place, offsets).check()
        except MisfitError as error:
            misfit = str(error)
        except (OSError, OverflowError):
            misfit = "an address leads nowhere"
        else:
            return
    raise MisfitError(misfit)


class _Walk:
    def __init__(self, pid: int, memory: ProcessMemory, place: Place, offsets: Offsets) -> None:
        self._tids = _native_ids(pid)
        self._memory = memory
        self._place = place
        self._o = offsets

    def check(self) -> None:
        o, u64 = self._o, self._memory.u64
        interpreter = u64(self._place.runtime + o["runtime_interpreters"] + 8)
        if not interpreter:
            raise NotReadyError
        threads = self._threads(interpreter, u64(interpreter + o["interp_threads"]))
        self._check_gil(interpreter, threads)
        _expect(self._memory.u32(interpreter + o["interp_gc"] + o["gc_collecting"]) in (0, 1), "garbage collector")
        leaves = [(thread, leaf) for thread in threads if (leaf := self._leaf(thread))]
        if not leaves:
            raise NotReadyError
        self._expect_one_stack(leaves[:MOST_STACKS])

    def _expect_one_stack(self, leaves: list[tuple[int, int]]) -> None:
        """One whole stack is enough: those that run move while they are read."""
        for last, (thread, leaf) in enumerate(leaves, start=1):
            try:
                self._check_data_stack(thread)
                self._check_frames(leaf)
            except (MisfitError, OSError):
                if last == len(leaves):
                    raise
            else:
                return

    def _threads(self, interpreter: int, first: int) -> list[int]:
        o, thread = self._o, first
        found: list[int] = []
        while thread and len(found) < MOST_THREADS:
            _expect(self._memory.u64(thread + o["thread_interp"]) == interpreter, "thread's interpreter")
            found.append(thread)
            thread = self._memory.u64(thread + o["thread_next"])
        if not found:
            raise NotReadyError
        known = [self._memory.u64(one + o["thread_native_id"]) in self._tids for one in found]
        _expect(any(known), "threads' native ids")
        return found

    def _check_gil(self, interpreter: int, threads: list[int]) -> None:
        o, u64 = self._o, self._memory.u64
        gil = self._place.runtime + o["runtime_gil"] if o["runtime_gil"] else u64(interpreter + o["interp_gil"])
        _expect(self._memory.u32(gil + o["gil_locked"]) in (0, 1), "GIL")
        holder = u64(gil + o["gil_holder"])
        if holder and holder not in threads:  # it may have ended since; its memory is readable all the same
            u64(holder + o["thread_interp"])

    def _leaf(self, thread: int) -> int:
        frame = self._memory.u64(thread + self._o["thread_frame"])
        if self._o["thread_frame_is_cframe"]:
            _expect(bool(frame), "thread's C frame")
            frame = self._memory.u64(frame + self._o["cframe_frame"])
        return frame

    def _check_data_stack(self, thread: int) -> None:
        chunk, top = (self._memory.u64(thread + self._o[name]) for name in ("thread_chunk", "thread_top"))
        if chunk:
            size, used = self._memory.u64(chunk + 8), self._memory.u64(chunk + 16)
            fits = size in _CHUNK_BYTES and used <= size // 8 and chunk < top <= chunk + size
            _expect(fits, "thread's data stack")

    def _check_frames(self, leaf: int) -> None:
        o, u64, frame = self._o, self._memory.u64, leaf
        for _ in range(MOST_FRAMES):
            owner = self._memory.read(frame + o["frame_owner"], 1)[0]
            _expect(owner <= 3, "frame's owner")
            code = u64(frame + o["frame_code"])
            if owner < 3:
                self._check_code(code, u64(frame + o["frame_instruction"]))
            else:  # it stands for C: its "code" is None in 3.13, and any object's type is itself of type `type`
                _expect(u64(u64(code + 8) + 8) == u64(self._place.code_type + 8), "frame that stands for C")
            frame = u64(frame + o["frame_previous"])
            if not frame:
                return

    def _check_code(self, code: int, instruction: int) -> None:
        o, u64 = self._o, self._memory.u64
        _expect(u64(code + 8) == self._place.code_type, "frame's code")
        units, start = u64(code + 16), code + o["code_instructions"]
        _expect(start - 2 <= instruction <= start + 2 * units, "frame's instruction")
        first_line, traceable = (self._signed(code + o[name]) for name in ("code_first_line", "code_first_traceable"))
        _expect(first_line in _LINES and 0 <= traceable <= units, "code's first line")
        for name in ("code_filename", "code_qualname"):
            _expect(self._is_text(u64(code + o[name])), "code's names")
        table = u64(code + o["code_linetable"])
        fits = u64(table + 8) == self._place.bytes_type and 0 < u64(table + 16) < 1 << 20
        _expect(fits, "code's line table")

    def _is_text(self, text: int) -> bool:
        o = self._o
        length, state = self._memory.u64(text + o["str_length"]), self._memory.u32(text + o["str_state"])
        kind, compact, is_ascii = state >> 2 & 7, state >> 5 & 1, state >> 6 & 1
        if not (compact and kind in (1, 2, 4) and 0 < length < 4096):
            return False
        letters = self._memory.read(text + o["str_ascii" if is_ascii else "str_compact"], length * kind)
        return self._memory.u64(text + 8) == self._place.str_type and (kind > 1 or 0 not in letters)

    def _signed(self, address: int) -> int:
        return int.from_bytes(self._memory.read(address, 4), "little", signed=True)


def _native_ids(pid: int) -> set[int]:
    """Thread ids as the program sees them, in its own pid namespace."""
    found = set()
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            lines = status.read_text(errors="replace").splitlines()
        except OSError:
            continue
        found |= {int(line.split()[-1]) for line in lines if line.startswith("NSpid:")}
    return found


def _expect(fits: bool, what: str) -> None:
    if not fits:
        raise MisfitError(what)
