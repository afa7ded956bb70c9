"""`storeprof top`: a running program, live."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from storeprof.cli.arguments import positive
from storeprof.errors import UsageError

EPILOG = """\
keys: tab the next table, arrows a row, enter only this operation or thread (of a function: its line), escape all again,
space pause, s another order, r save a recording (and again: end it), q quit.

All figures are of the last five seconds. A COMMAND is started without the terminal and ended at the end; a process that
was attached to is left running. For the whole story, with intervals and a verdict: record, and report.
"""


def add_parser(commands: Any) -> None:
    """Add `top` to the command line."""
    parser = commands.add_parser(
        "top",
        help="a running program, live: operations, what each thread waits for, functions",
        description="Watch a program: its operations, what each thread waits for now, the functions that take its CPU.",
        usage="storeprof top [OPTIONS] -- COMMAND [ARG...]\n       storeprof top [OPTIONS] --pid PID | --name NAME",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--pid", type=positive, help="watch this running process; it is left running")
    target.add_argument("--name", help="watch the newest running process of this name")
    parser.add_argument(
        "--subprocesses",
        action=argparse.BooleanOptionalAction,
        help="watch the program's children too (default: of a COMMAND yes, of a process attached to no)",
    )
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND [ARG...]", help="the program to run")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Watch until somebody quits."""
    from storeprof.session.recorder import pid_of_name

    command = tuple(options.argv[1:] if options.argv[:1] == ["--"] else options.argv)
    pid = pid_of_name(options.name) if options.name else options.pid
    if bool(command) == (pid is not None):
        raise UsageError("name one program: `-- COMMAND`, or `--pid PID`, or `--name NAME`; see `storeprof top --help`")
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # it is drawn on standard error
        raise UsageError("top draws on a terminal, and this is none; `storeprof record` writes a recording")
    children = bool(command) if options.subprocesses is None else options.subprocesses
    return _watch(command, pid, children)


def _watch(command: tuple[str, ...], pid: int | None, children: bool) -> int:
    from storeprof.live.target import LiveOptions, LiveTarget

    target = LiveTarget(LiveOptions(command, pid, children))
    saving = None
    try:
        target.start()
        from storeprof.live.app import LiveApp

        app = LiveApp(target, children)
        app.run()
        saving = app.saving
    finally:
        if saving is not None:
            print("storeprof: finishing the recording", file=sys.stderr)
            print(saving.finish(), file=sys.stderr)
        target.close()
    return 0
