"""Where CPython keeps what a stack reader needs, per version, in bytes.

Fields of the rows: `thread` is PyThreadState, `frame` _PyInterpreterFrame, `gil` struct _gil_runtime_state. Their order
is that of struct PythonOffsets in native/python_offsets.hpp, which gets them as packed u64.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

Offsets = dict[str, int]

FIELDS = (
    *("runtime_interpreters", "runtime_gil", "interp_gil", "interp_threads", "interp_gc", "gc_collecting"),
    *("thread_next", "thread_interp", "thread_frame", "thread_frame_is_cframe", "cframe_frame", "thread_native_id"),
    *("thread_chunk", "thread_top", "gil_holder", "gil_locked", "gil_size"),
    *("frame_previous", "frame_owner", "frame_size", "frame_code", "frame_instruction", "frame_function"),
    *("code_filename", "code_qualname", "code_linetable", "code_first_line", "code_instructions"),
    *("code_first_traceable", "str_state", "str_length", "str_ascii", "str_compact", "bytes_data"),
)


def _row(*parts: tuple[int, ...]) -> Offsets:
    return dict(zip(FIELDS, (value for part in parts for value in part), strict=True))


# The rows of 3.11 and 3.12 are offsetof() of each field, as a ten-line program prints them when compiled against that
# version's internal headers (the layout is frozen within a minor version). That of 3.13 is where the interpreter's own
# table, _Py_DebugOffsets, has each offset, in 64-bit words (0: not there).
STATIC_ROWS = {
    (3, 11): _row(
        (40, 360, 0, 16, 848, 0), (8, 16, 56, 1, 8, 160), (296, 304, 8, 16, 208), (48, 69, 72, 32, 56, 0),
        (112, 128, 136, 72, 184), (168, 32, 16, 48, 72, 32),
    ),
    (3, 12): _row(
        (40, 0, 384, 72, 312, 0), (8, 16, 56, 1, 0, 144), (232, 240, 8, 16, 208), (8, 70, 72, 0, 56, 16),
        (112, 128, 136, 68, 192), (176, 32, 16, 40, 56, 32),
    ),
}  # fmt: skip
DEBUG_ROWS = {
    (3, 13): _row(
        (5, 0, 14, 9, 10, 72), (21, 22, 23, 0, 0, 25), (26, 0, 18, 17, 0), (29, 33, 32, 30, 31, 0),
        (35, 37, 38, 39, 43), (0, 68, 69, 70, 0, 66),
    ),
}  # fmt: skip
DEBUG_COOKIE = b"xdebugpy"
DEBUG_WORDS = 73
GIL_STATE_WORD = 15  # offset of the GIL in the interpreter
NOT_SUPPORTED = "not supported (3.11 to 3.13 are)"
# sizeof(pthread_cond_t) and of pthread_mutex_t: glibc and musl agree on 64-bit machines.
CONDITION_BYTES, MUTEX_BYTES = 48, 40


class UnsupportedError(Exception):
    """Why this interpreter's stacks can't be read, in one line."""


def find_offsets(debug: bytes, read_version: Callable[[], int]) -> tuple[str, Offsets]:
    """The version ("3.12") and its offsets.

    `debug` is the beginning of the interpreter's `_PyRuntime`; `read_version` reads `Py_Version` (exported since 3.11),
    and gives 0 when it is not there. Raises UnsupportedError.
    """
    words = struct.unpack(f"<{DEBUG_WORDS}Q", debug)
    has_table = debug.startswith(DEBUG_COOKIE)
    hexversion = words[1] if has_table else read_version()
    if not hexversion:
        raise UnsupportedError(f"Python 3.10 or older is {NOT_SUPPORTED}")
    version = (hexversion >> 24 & 255, hexversion >> 16 & 255)
    name = ".".join(map(str, version))
    rows = DEBUG_ROWS if has_table else STATIC_ROWS
    if version not in rows:
        raise UnsupportedError(f"Python {name} is {NOT_SUPPORTED}")
    if has_table and words[2]:
        raise UnsupportedError(
            f"free-threaded builds of Python {name} are not supported: their memory has another layout"
        )
    offsets = _translated(rows[version], words) if has_table else rows[version]
    if not _are_sane(offsets):
        raise UnsupportedError("the interpreter's offset table makes no sense")
    return name, offsets


def packed(offsets: Offsets) -> bytes:
    """As the native code wants them."""
    return struct.pack(f"<{len(FIELDS)}Q", *(offsets[name] for name in FIELDS))


def _translated(row: Offsets, words: tuple[int, ...]) -> Offsets:
    o = {name: words[word] if word else 0 for name, word in row.items()}
    # 3.13.0 counts these two from the interpreter (whose own GIL is at that offset), not from the GIL.
    base = words[GIL_STATE_WORD] if o["gil_locked"] > words[GIL_STATE_WORD] else 0
    o["gil_locked"] -= base
    o["gil_holder"] -= base
    # Not in the table, known by their neighbours:
    o["gil_size"] = o["gil_locked"] + 16 + 2 * (CONDITION_BYTES + MUTEX_BYTES)
    o["thread_top"] = o["thread_chunk"] + 8
    o["frame_function"] = o["frame_previous"] + 8
    o["code_first_traceable"] = o["code_instructions"] - 16
    o["str_compact"] = o["str_ascii"] + 16
    return o


def _are_sane(o: Offsets) -> bool:
    """Whether none is wild: they come from the program's memory, and size our reads."""

    def inside(size: int, limit: int, *names: str) -> bool:
        return 0 <= size <= limit and all(0 <= o[name] <= size - 8 for name in names)

    return (
        inside(o["thread_top"] + 8, 4096, "thread_next", "thread_interp", "thread_frame", "thread_native_id")
        and inside(o["frame_size"], 256, "frame_previous", "frame_code", "frame_instruction", "frame_function")
        and inside(o["code_instructions"], 512, "code_filename", "code_qualname", "code_linetable", "code_first_line")
        and inside(o["gil_locked"] + 4, 4096, "gil_holder")
        and inside(o["str_compact"], 128, "str_length", "str_state")
        and 0 <= o["thread_chunk"] < o["thread_top"]
        and o["frame_owner"] < o["frame_size"]
        and 0 <= o["code_first_traceable"] < o["code_instructions"]
        and o["bytes_data"] < 128
    )
