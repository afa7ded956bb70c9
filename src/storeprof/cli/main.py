"""`storeprof`: parse, run one command, and turn what goes wrong into one line and an exit status."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from storeprof import __version__
from storeprof.cli import (
    analyze,
    baseline,
    compare,
    config,
    doctor,
    duel,
    export,
    gate,
    import_files,
    profile,
    record,
    report,
    top,
)
from storeprof.cli.exit_status import RECORDER_FAILED, UNUSABLE
from storeprof.errors import CommandNotExecutable, CommandNotFound, StoreprofError

DESCRIPTION = """\
Finds the real bottleneck of a storage engine, says what fixing it would be worth,
or says that there is nothing worth fixing.
"""
EPILOG = """\
examples:
  storeprof profile tsdb                     the engine that comes with storeprof
  storeprof record -- python3 app.py         any program, unchanged
  storeprof record --pid 1234 --duration 10  a program that is running
  storeprof top --pid 1234                   the same, live
  storeprof report                           the newest recording, for people
  storeprof analyze --json                   the newest recording, for scripts
  storeprof doctor                           what this machine can measure, and how to get the rest
  storeprof record --runs 5 -- ./bench       several runs, judged together: what holds in all of them
  storeprof export -o run.speedscope.json    the newest recording, for a viewer you have (Perfetto, pprof, …)
  storeprof import sample.txt leaks.txt      what other tools recorded elsewhere, as one recording
  storeprof report --target 10k/s            is it fast enough, and if not, how far would the fix get?
"""
_COMMANDS = (profile, record, analyze, report, compare, duel, gate, baseline, export, import_files, top, doctor, config)
_RECORDERS = frozenset({"profile", "record"})


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; `record` and `profile` answer 125, as tools that run a COMMAND do."""

    def error(self, message: str) -> NoReturn:
        status = RECORDER_FAILED if self.prog.split()[-1] in _RECORDERS else UNUSABLE
        self.exit(status, f"storeprof: {message}; see `{self.prog} --help`\n")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(
        prog="storeprof",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"storeprof {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for module in _COMMANDS:
        module.add_parser(commands)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run storeprof; returns the exit status."""
    options, unknown = build_parser().parse_known_args(arguments)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        with _terminated_as_interrupted():
            return int(options.run(options))
    except StoreprofError as error:
        print(f"storeprof: {error}", file=sys.stderr)
        if options.command not in _RECORDERS:
            return UNUSABLE
        missing = isinstance(error, CommandNotFound | CommandNotExecutable)
        return error.exit_status if missing else RECORDER_FAILED
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            return _reader_left()
        where = f"{error.filename}: " if error.filename else ""
        kept = "; what was recorded so far is kept" if options.command in (*_RECORDERS, "duel") else ""
        print(f"storeprof: {where}{error.strerror or error}{kept}", file=sys.stderr)
        return RECORDER_FAILED if options.command in _RECORDERS else UNUSABLE
    except KeyboardInterrupt as interrupt:
        return 128 + int(interrupt.args[0] if interrupt.args else signal.SIGINT)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, so that no tool of ours stays behind; ignored or handled, it stays so."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, _: Any) -> NoReturn:
    raise KeyboardInterrupt(number)


def _reader_left() -> int:
    """Whoever read our output has enough; Python must not complain about the rest at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
