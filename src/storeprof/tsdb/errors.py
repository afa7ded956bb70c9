"""What the engine raises on purpose.

StorageError
├── StorageLocked     another process (or this one) has the directory open
├── StorageClosed     an operation after close
├── StorageFailed     the disk failed earlier; nothing more is accepted
├── CorruptionError   bytes that were synced are not what was written
└── InvalidSample     a label, timestamp or value that can't be stored
"""


class StorageError(Exception):
    """The storage can't do what was asked; the message is one line."""


class StorageLocked(StorageError):
    """The directory is open already; close the other storage or choose another directory."""


class StorageClosed(StorageError):
    """The storage was closed before this operation."""


class StorageFailed(StorageError):
    """Writing or syncing failed earlier. After a failed sync the kernel may have dropped the pages, so a second
    sync that succeeds proves nothing: reopening replays what did reach the disk."""


class InvalidSample(StorageError):
    """Labels must be strings by non-empty name, a timestamp must fit 64 bits, a value must be a number."""


class CorruptionError(StorageError):
    """Synced data is damaged. Carries the file and the offset; restore the file from a backup or remove it."""

    def __init__(self, file: str, offset: int, what: str) -> None:
        super().__init__(
            f"{file} is damaged at byte {offset}: {what}; restore the file or remove it to go without"
        )
        self.file = file
        self.offset = offset
