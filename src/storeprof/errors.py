"""Every error storeprof raises on purpose: one line for the user, with what to do, and an exit status.

StoreprofError
├── UsageError            the command line or an argument can't be used
├── RecordingError        a recording can't be read or written
├── TargetError           the program under study can't be started or observed
│   ├── CommandNotFound   (127)
│   └── CommandNotExecutable (126)
└── CollectorError        an outside tool failed
"""


class StoreprofError(Exception):
    """Something the user can act on; the message is one line: what is wrong, where, and what to do."""

    exit_status = 2


class UsageError(StoreprofError):
    """The command line, an option or a name given by the user can't be used."""


class RecordingError(StoreprofError):
    """A recording is missing, damaged, from a newer storeprof, or its folder can't be written."""


class TargetError(StoreprofError):
    """The program under study can't be started, attached to, or read."""


class CommandNotFound(TargetError):
    """The command to record does not exist (exit status 127, as in a shell)."""

    exit_status = 127


class CommandNotExecutable(TargetError):
    """The command to record exists and can't be executed (exit status 126, as in a shell)."""

    exit_status = 126


class CollectorError(StoreprofError):
    """An outside tool could not be started or its output could not be read."""
