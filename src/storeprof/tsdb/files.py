"""Every file operation of the engine goes through here, so that a test can take away what was not synced.

`Files` is one directory. A name created, renamed or removed is durable after `sync_directory`, the contents of a file
after its `sync`. Operations raise OSError.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path

from storeprof.tsdb.errors import StorageLocked

_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class File:
    """An open file. The descriptor is closed with the last reference, so a reader never meets a reused number."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def append(self, data: bytes) -> None:
        """Hands all of `data` to the kernel, at the end of the file (which was opened for appending)."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end of the file."""
        return os.pread(self._descriptor, length, offset)

    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._descriptor).st_size

    def cut(self, size: int) -> None:
        """Drops what lies behind `size`."""
        os.ftruncate(self._descriptor, size)

    def map(self, size: int) -> mmap.mmap:
        """Allocates `size` bytes of zeros on the disk and maps them shared: stores survive the process at once."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._descriptor, 0, size)
        else:
            os.pwrite(self._descriptor, bytes(size), 0)
        return mmap.mmap(self._descriptor, size)

    def sync(self) -> None:
        """Returns when the contents, mapped stores included, are durable. Releases the GIL, which msync does not."""
        _sync_data(self._descriptor)

    def __del__(self) -> None:
        os.close(self._descriptor)


class Files:
    """The files of one directory, by name."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock: int | None = None

    def lock(self) -> None:
        """Takes the directory for this storage; the kernel gives it back when the process dies. Raises StorageLocked."""
        descriptor = os.open(self._directory / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise StorageLocked(
                f"{self._directory} is open in another storage; close that one or choose another directory"
            ) from None
        self._lock = descriptor

    def unlock(self) -> None:
        """Gives the directory back; without effect when it is not held."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def names(self) -> list[str]:
        """Names of all files, sorted."""
        return sorted(os.listdir(self._directory))

    def create(self, name: str) -> File:
        """A new empty file for appending or mapping; an old one of that name is emptied."""
        return self._open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)

    def open(self, name: str) -> File:
        """An existing file, for reading and appending."""
        return self._open(name, os.O_RDWR | os.O_APPEND)

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, in one step."""
        os.rename(self._directory / old, self._directory / new)

    def remove(self, name: str) -> None:
        """Takes the name away; whoever has the file open goes on reading it."""
        os.unlink(self._directory / name)

    def sync_directory(self) -> None:
        """Returns when names created, renamed and removed before are durable."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _open(self, name: str, flags: int) -> File:
        return File(os.open(self._directory / name, flags | os.O_CLOEXEC, 0o644))
