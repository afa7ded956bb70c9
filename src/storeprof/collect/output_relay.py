"""Copies the command's standard output through unchanged, noting the lines that count its operations.

The loop runs in a process of its own (`tool_process.OutputRelay` forks it), so that killing storeprof never
leaves the program writing into a broken pipe. Nothing here starts a process.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import resource
import select
import signal
import struct
import termios
import time
import tty
from collections.abc import Iterator
from typing import Final, NoReturn

READ_BYTES: Final = 64 * 1024
# A line that counts operations is short; the rest of a longer one is passed through and not looked at.
LONGEST_LINE: Final = 64 * 1024
OPS_PATTERN: Final = rb"ops=(\d+) seconds=([\d.]+)"
# A window that changes size while the program is silent is noticed this late.
IDLE_MS: Final = 500


class OpsLines:
    """Finds `ops=N seconds=S` in a stream that arrives in arbitrary pieces, in bounded memory.

    `pattern` is a regular expression over bytes: its first group is the number of operations, its second
    (optional) the seconds they took. It is tried on whole lines, and at the end on an unfinished one.
    """

    def __init__(self, pattern: bytes = OPS_PATTERN) -> None:
        self._pattern = re.compile(pattern, re.MULTILINE)
        self._partial = b""
        self._skipping = False

    def feed(self, piece: bytes) -> Iterator[tuple[int, float | None]]:
        """Yield (operations, seconds or None) for each match in the lines that `piece` completes."""
        first_end = piece.find(b"\n")
        if first_end < 0:
            self._keep(piece)
            return
        last_end = piece.rfind(b"\n") + 1
        lines = piece[first_end + 1 : last_end] if self._skipping else self._partial + piece[:last_end]
        self._partial, self._skipping = b"", False
        self._keep(piece[last_end:])
        yield from self._matches(lines)

    def close(self) -> Iterator[tuple[int, float | None]]:
        """Yield what the unfinished last line holds."""
        last, self._partial = self._partial, b""
        yield from self._matches(last)

    def _keep(self, rest: bytes) -> None:
        if self._skipping:
            return
        self._partial += rest
        if len(self._partial) > LONGEST_LINE:
            self._partial, self._skipping = b"", True

    def _matches(self, lines: bytes) -> Iterator[tuple[int, float | None]]:
        for match in self._pattern.finditer(lines):
            groups = match.groups()
            # A pattern of the user's may match what is not a number: such a line counts nothing.
            with contextlib.suppress(ValueError, IndexError, TypeError):
                operations = int(float(groups[0].replace(b",", b"")))
                seconds = float(groups[1]) if len(groups) > 1 and groups[1] is not None else None
                yield operations, seconds


def open_channel(stdout: int) -> tuple[int, int]:
    """A channel (read end, write end): a pseudo-terminal like `stdout` when that is a terminal, else a pipe.

    Without the pseudo-terminal the program would buffer by blocks and drop its colours. Its output processing
    is off: the real terminal does that once.
    """
    if not _is_terminal(stdout):
        return open_pipe()
    read_end, write_end = os.openpty()
    mode = termios.tcgetattr(stdout)
    mode[tty.OFLAG] &= ~termios.OPOST
    termios.tcsetattr(write_end, termios.TCSANOW, mode)
    copy_window_size(stdout, write_end)
    return _above_stdio(read_end), _above_stdio(write_end)


def open_pipe() -> tuple[int, int]:
    """A pipe (read end, write end) whose numbers are never those of standard input, output or error."""
    read_end, write_end = os.pipe()
    return _above_stdio(read_end), _above_stdio(write_end)


def run_relay(source: int, sink: int, ops_file: int, pattern: bytes) -> NoReturn:
    """The life of the forked relay: leave the terminal's reach, drop every other descriptor, copy, exit."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _close_all_but({source, sink, ops_file})
        relay(source, sink, ops_file, pattern)
    finally:
        os._exit(0)


def relay(source: int, sink: int, ops_file: int, pattern: bytes) -> None:
    """Copy `source` to `sink` until its end; append each counted line to `ops_file` as a JSON line.

    When nobody reads `sink` any more, `source` is closed and the program meets SIGPIPE on its next write, as
    it would have without the relay.
    """
    lines = OpsLines(pattern)
    terminal = _is_terminal(source)
    waiter = select.poll()
    waiter.register(source, select.POLLIN)
    while True:
        if terminal:
            copy_window_size(sink, source)
            if not waiter.poll(IDLE_MS):
                continue
        piece = _read(source)
        now_ns = time.monotonic_ns()
        try:
            _write_all(sink, piece)
        except OSError:
            os.close(source)
            return
        _note(ops_file, now_ns, lines.feed(piece) if piece else lines.close())
        if not piece:
            return


def copy_window_size(origin: int, target: int) -> None:
    """Give the terminal `target` the rows and columns of the terminal `origin`."""
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(origin, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        if size != fcntl.ioctl(target, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0)):
            fcntl.ioctl(target, termios.TIOCSWINSZ, size)


def _close_all_but(kept: set[int]) -> None:
    first = 0
    for fd in sorted(kept):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _is_terminal(fd: int) -> bool:
    with contextlib.suppress(OSError):
        return os.isatty(fd)
    return False


def _above_stdio(fd: int) -> int:
    """The same file under a number above 2: with standard input closed, a new descriptor would become it."""
    if fd > 2:
        return fd
    higher = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return higher


def _read(source: int) -> bytes:
    """The next piece; empty at the end. A pseudo-terminal ends with EIO when its last writer closes it."""
    try:
        return os.read(source, READ_BYTES)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


def _write_all(sink: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        try:
            rest = rest[os.write(sink, rest) :]
        except BlockingIOError:  # somebody made the shared terminal or pipe non-blocking
            writable = select.poll()
            writable.register(sink, select.POLLOUT)
            writable.poll()


def _note(ops_file: int, now_ns: int, counted: Iterator[tuple[int, float | None]]) -> None:
    for operations, seconds in counted:
        line = json.dumps({"t_ns": now_ns, "ops": operations, "seconds": seconds}) + "\n"
        # A full disk costs the count, never the program's output.
        with contextlib.suppress(OSError):
            os.write(ops_file, line.encode())
