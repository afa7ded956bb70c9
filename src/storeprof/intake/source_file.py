"""A file that somebody brings: opened as text whatever its encoding, refused by name when it is no text.

What tools keep for themselves (perf.data, gmon.out, a .trace) can be read by the tool alone: the refusal says which
command makes a text of it.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from storeprof.errors import UsageError

HEAD_BYTES: Final = 1 << 18
HEAD_LINES: Final = 3000
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# What a compressed file begins with, its name, and what opens it.
_PACKED: Final[tuple[tuple[bytes, str, Any], ...]] = (
    (b"\x1f\x8b", "gzip", gzip.open), (b"BZh", "bzip2", bz2.open), (b"\xfd7zXZ\0", "xz", lzma.open),
)  # fmt: skip
_BINARIES: Final = (
    (b"PERFILE2", "perf's own file", "write its text first: perf script -i {path} > FILE"),
    (b"gmon\x01", "gprof's raw counts", "write the report first: gprof PROGRAM {path} > FILE"),
    (b"gmon", "gprof's raw counts", "write the report first: gprof PROGRAM {path} > FILE"),
    (b"memray", "memray's own file", "write its text first: memray stats {path} > FILE"),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed (zstd; heaptrack writes that)",
        "heaptrack_print {path} > FILE, or zstd -d {path}",
    ),
    (
        b"bplist",
        "a binary property list",
        "convert it first: plutil -convert xml1 {path}, or use the tool's text output",
    ),
    (b"SQLite format 3", "a database", "export text from the tool that made it"),
    (b"\x7fELF", "a program, not a profile", "record it: storeprof record -- {path}"),
    (b"\xcf\xfa\xed\xfe", "a program, not a profile", "record it: storeprof record -- {path}"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it and name the files in it"),
)


# A file that ends in the middle, or is no longer what was packed from there on.
_DAMAGED: Final = (EOFError, OSError, lzma.LZMAError, zlib.error)


class SourceFile:
    """A file by its path: `head` is its first lines, `lines()` all of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        start = self._start()
        found = next(((name, opener) for mark, name, opener in _PACKED if start.startswith(mark)), None)
        self._open: Any = found[1] if found else open
        if found:
            start = self._unpacked_start(found[0])
        self.encoding = next((name for mark, name in _MARKS if start.startswith(mark)), None) or _without_mark(start)
        for magic, what, remedy in _BINARIES:
            if start.startswith(magic):
                raise UsageError(f"{path}: is {what}; {remedy.format(path=path)}")
        text = start.decode(self.encoding, errors="replace")
        if "\0" in text:
            raise UsageError(
                f"{path}:{text[: text.index(chr(0))].count(chr(10)) + 1}: is no text; name what a tool printed"
            )
        self.head = text.split("\n")[:HEAD_LINES]
        self.empty = not text.strip()

    def _start(self) -> bytes:
        if self.path.is_dir():
            bundle = self.path.suffix == ".trace"
            remedy = f"xctrace export --input {self.path} --xpath …" if bundle else "name the files in it"
            raise UsageError(f"{self.path}: is a folder; {remedy}")
        if self.path.exists() and not self.path.is_file():
            raise UsageError(f"{self.path}: is a pipe or a device; it is read twice: write it to a file first")
        try:
            with open(self.path, "rb") as file:
                return file.read(HEAD_BYTES)
        except FileNotFoundError:
            raise UsageError(f"{self.path}: no such file") from None
        except OSError as error:
            raise UsageError(f"{self.path}: can't be read ({error.strerror})") from None

    def _unpacked_start(self, name: str) -> bytes:
        start = bytearray()
        try:
            with self._open(self.path, "rb") as file:
                while len(start) < HEAD_BYTES and (piece := file.read1(1 << 14)):
                    start += piece
        except _DAMAGED:
            if not start:
                what = f"is compressed ({name}) and damaged; unpack it and name the result"
                raise UsageError(f"{self.path}: {what}") from None
        return bytes(start)

    @contextmanager
    def lines(self) -> Iterator[Iterator[str]]:
        """The lines, with their ends; only a line feed ends one."""
        with (
            self._open(self.path, "rb") as raw,
            io.TextIOWrapper(raw, encoding=self.encoding, errors="replace", newline="\n") as text,
        ):
            yield _unbroken(text)


def _unbroken(text: IO[str]) -> Iterator[str]:
    """Lines of a compressed file that ends too early end there, as those of any file."""
    try:
        yield from text
    except _DAMAGED:
        return


def _without_mark(start: bytes) -> str:
    """UTF-16 without a byte order mark has zeros in every other byte of ASCII text."""
    sample = start[:400]
    for encoding, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if len(sample) > 8 and zeros.count(0) > 0.8 * len(zeros):
            return encoding
    return "utf-8"
