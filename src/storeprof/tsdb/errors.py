"""What the engine raises on purpose; each message is one line."""


class StorageError(Exception):
    """The storage is open elsewhere, closed or failed, or the sample can't be stored."""


class CorruptionError(StorageError):
    """Synced data is damaged; `file` and `offset` say where."""

    def __init__(self, file: str, offset: int, what: str) -> None:
        super().__init__(
            f"{file} is damaged at byte {offset}: {what}; restore it, or remove it to go on without"
        )
        self.file, self.offset = file, offset
