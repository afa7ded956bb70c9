"""Every file operation of the engine, so that a test can take away what was not synced; and the errors.

A name is durable after `sync_directory`, the contents of a file after its `sync`. All raise OSError.
"""

import fcntl
import mmap
import os
from pathlib import Path


class StorageError(Exception):
    """The storage is open elsewhere, closed or failed, or the sample can't be stored; always one line."""


class CorruptionError(StorageError):
    """Synced data is damaged; `file` and `offset` say where."""

    def __init__(self, file: str, offset: int, what: str) -> None:
        super().__init__(f"{file} is damaged at byte {offset}: {what}; restore it, or go on without it")
        self.file, self.offset = file, offset


class File:
    """An open file; its descriptor is closed with the last reference, so nobody meets a reused number."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor

    def append(self, data: bytes) -> int:
        """Hands all of `data` to the kernel, at the end of the file; returns where it begins."""
        start = os.fstat(self._fd).st_size
        while data:
            data = data[os.write(self._fd, data) :]
        return start

    def read(self, offset: int = 0, length: int = -1) -> bytes:
        """Up to `length` bytes from `offset`, fewer only at the end of the file; up to the end by default."""
        return os.pread(self._fd, length if length >= 0 else os.fstat(self._fd).st_size, offset)

    def cut(self, size: int) -> None:
        """Drops what lies behind `size`."""
        os.ftruncate(self._fd, size)

    def map(self, size: int) -> mmap.mmap:
        """Allocates `size` zeros on the disk and maps them shared: a store survives the process at once."""
        os.posix_fallocate(self._fd, 0, size)
        return mmap.mmap(self._fd, size)

    def sync(self) -> None:
        """Returns when the contents, mapped stores too, are durable. Releases the GIL; msync does not."""
        os.fdatasync(self._fd)

    def __del__(self) -> None:
        os.close(self._fd)


class Files:
    """The files of one directory, held by this object until `release` or the death of the process."""

    def __init__(self, directory: Path) -> None:
        """Raises StorageError when another storage has the directory."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = os.open(directory / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise StorageError(f"{directory} is open already; close it there or choose another") from None

    def release(self) -> None:
        """Gives the directory back; called once."""
        os.close(self._lock)

    def names(self) -> list[str]:
        """Names of all files, sorted."""
        return sorted(os.listdir(self._directory))

    def open(self, name: str, new: bool = False) -> File:
        """A file for reading, appending and mapping; with `new` it is created, or emptied."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT | os.O_TRUNC if new else 0)
        return File(os.open(self._directory / name, flags, 0o644))

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, in one step."""
        (self._directory / old).rename(self._directory / new)

    def remove(self, name: str) -> None:
        """Takes the name away; whoever has the file open goes on using it."""
        (self._directory / name).unlink()

    def sync_directory(self) -> None:
        """Returns when names created, renamed and removed before are durable."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(descriptor)  # fdatasync leaves out a directory's names
        os.close(descriptor)
