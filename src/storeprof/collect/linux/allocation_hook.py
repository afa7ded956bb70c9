"""The library that samples a program's allocations: whether it can be preloaded, and its shared memory.

The layout is that of docs/formats/allocations.md; the library is native/allocation_hook.cpp.
"""

import mmap
import os
import stat
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np

from storeprof.collect.collector import Availability
from storeprof.collect.linux.elf import interpreter_of

MAGIC: Final = b"SPALLOC\x01"
HEADER_BYTES: Final = 4096
UNITS: Final = 8192
UNIT_BYTES: Final = 64
FIRST_MEAN: Final = 65_536
_HEAD, _TAIL = 64, 128
PRELOAD: Final = "LD_PRELOAD"
REGION: Final = "STOREPROF_ALLOCATIONS"
# They exec the program under study, which keeps their pid and needs the library from the environment.
LAUNCHERS: Final = frozenset(
    {"sh", "bash", "dash", "zsh", "env", "nice", "ionice", "time", "timeout", "taskset", "chrt", "stdbuf", "nohup"}
)
_SANITIZERS: Final = (b"__asan_init", b"__tsan_init", b"__msan_init", b"__hwasan_init")


def library() -> Path | None:
    """The library that was built with this installation; None when there is none."""
    folder = Path(__file__).parents[2] / "observe"
    return next(iter(sorted(folder.glob("_allocation_hook*.so"))), None)


def available(program: str) -> Availability:
    """Whether the library can be preloaded into an executable file (a script counts as its interpreter)."""
    if library() is None:
        return Availability(False, "the allocation hook was not built", "install storeprof with a C++ compiler")
    try:
        return _suitable(Path(_interpreter_line(program) or program))
    except OSError as error:
        return Availability(False, f"{program} can't be read ({error.strerror})", "let its file be readable")


def is_launcher(program: str) -> bool:
    """Whether the command is likely to exec another program in its place."""
    return _interpreter_line(program) is not None or Path(program).name in LAUNCHERS


def _interpreter_line(program: str) -> str | None:
    with open(program, "rb") as file:
        first = file.read(256).split(b"\n", 1)[0]
    words = first[2:].split() if first.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words else None


def _suitable(program: Path) -> Availability:
    if program.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
        return Availability(False, "the program is setuid or setgid", "record a copy without that bit")
    loader = interpreter_of(program)
    if loader is None or "ld-linux" not in loader:
        why = "statically linked, or of another architecture" if loader is None else f"loaded by {loader}, not by glibc"
        return Availability(False, f"the program is {why}: nothing can be preloaded", "link it dynamically to glibc")
    with open(program, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = next((name for name in _SANITIZERS if content.find(name) >= 0), None)
    if found:
        return Availability(False, "a sanitizer has taken the program's allocator", "record a build without it")
    return Availability(True)


class AllocationRegion:
    """The memfd between the library and the recorder; the program opens it by name and keeps no descriptor."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("storeprof-allocations", os.MFD_CLOEXEC)
        os.ftruncate(self._fd, HEADER_BYTES + UNITS * UNIT_BYTES)
        self._memory = mmap.mmap(self._fd, 0)
        self._memory[: len(MAGIC)] = MAGIC
        struct.pack_into("<Q", self._memory, 16, FIRST_MEAN)

    def environment(self, preloaded: str | None) -> dict[str, str]:
        """What the program's environment needs; `preloaded`: its own LD_PRELOAD, which stays."""
        return {
            PRELOAD: f"{library()}:{preloaded}" if preloaded else str(library()),
            REGION: f"/proc/{os.getpid()}/fd/{self._fd}",
        }

    def admit(self, pid: int, launcher: bool) -> None:
        """Let one process write; to be called while it is held before exec."""
        struct.pack_into("<II", self._memory, 8, pid, launcher)

    def drain(self) -> bytes:
        """All complete records since the last call, in units of 64 bytes; their room is free again."""
        head, tail = self._word(_HEAD), self._word(_TAIL)
        if head == tail:
            return b""
        numbers = np.arange(tail, min(head, tail + UNITS)) % UNITS
        units = np.frombuffer(self._memory, dtype=np.dtype((np.void, UNIT_BYTES)), offset=HEADER_BYTES)
        kinds = np.frombuffer(self._memory, dtype="<u4", offset=HEADER_BYTES).reshape(UNITS, -1)
        unfinished = np.flatnonzero(kinds[numbers, 0] == 0)
        numbers = numbers[: unfinished[0]] if len(unfinished) else numbers
        records = units[numbers].tobytes()
        kinds[numbers, 0] = 0
        struct.pack_into("<Q", self._memory, _TAIL, tail + len(numbers))
        return records

    def state(self) -> dict[str, Any]:
        """Whether the library is in the program (`hooked`), sees CPython, what was lost, and the mean in force."""
        mean, lost, hooked, python = struct.unpack_from("<QQII", self._memory, 16)
        return {"hooked": bool(hooked), "python": bool(python), "lost_samples": lost, "mean_bytes": mean}

    def close(self) -> None:
        """Let go of the memory; the program keeps its own mapping."""
        os.close(self._fd)

    def _word(self, offset: int) -> int:
        value: int = struct.unpack_from("<Q", self._memory, offset)[0]
        return value
