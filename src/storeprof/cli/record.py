"""`storeprof record`: observe a program, unchanged, and leave a recording."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from storeprof.cli.arguments import (
    add_expect_option,
    add_recording_options,
    add_runs_option,
    add_target_option,
    asked_to_judge,
    dotted_name,
    module_pattern,
    positive,
    seconds,
)
from storeprof.cli.collecting import add_collecting_options, collected, require_linux
from storeprof.errors import UsageError

EPILOG = """\
COMMAND's output passes through unchanged and its exit status is storeprof's; 125: storeprof itself failed,
126: COMMAND can't be executed, 127: it isn't found. The last line on standard error is `recording: PATH`.
"""


def add_parser(commands: Any) -> None:
    """Add `record` to the command line."""
    parser = commands.add_parser(
        "record",
        help="observe a program that is started or already runs",
        description="Observe a program, without changing it, and leave a recording: a folder.",
        usage="storeprof record [OPTIONS] -- COMMAND [ARG...]\n"
        "       storeprof record [OPTIONS] --pid PID | --name NAME",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--pid", type=positive, help="observe this running process; it is left running")
    target.add_argument("--name", help="observe the newest running process of this name")
    parser.add_argument(
        "--duration", type=seconds, metavar="S", help="end after S seconds (default: when the program ends)"
    )
    parser.add_argument(
        "--ops-regex",
        metavar="REGEX",
        help="how the program states its own count: group 1 operations, group 2 seconds (default: ops=N seconds=S)",
    )
    parser.add_argument(
        "--operation",
        type=dotted_name,
        action="append",
        default=[],
        metavar="MODULE.FUNCTION",
        help="time this Python function or method as an operation, without touching its source (repeatable)",
    )
    parser.add_argument(
        "--instrument",
        type=module_pattern,
        action="append",
        default=[],
        metavar="MODULES",
        help="time all functions of these Python modules, without touching their source: package.module, 'package.*' "
        "(repeatable); the dearest are let go where they cost more than the budget",
    )
    add_runs_option(parser)
    add_target_option(parser)
    add_expect_option(parser)
    add_recording_options(parser)
    add_collecting_options(parser)
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND [ARG...]", help="the program to run")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Record, finish, and say where the recording is."""
    require_linux("record")
    from storeprof.collect.output_relay import OPS_PATTERN
    from storeprof.session.folder import default_folder
    from storeprof.session.options import RecordOptions
    from storeprof.session.recorder import pid_of_name

    command = tuple(options.argv[1:] if options.argv[:1] == ["--"] else options.argv)
    pid = pid_of_name(options.name) if options.name else options.pid
    if bool(command) == (pid is not None):
        raise UsageError(
            "name one program: `-- COMMAND`, or `--pid PID`, or `--name NAME`; see `storeprof record --help`"
        )
    if pid is not None and (options.operation or options.instrument):
        raise UsageError(
            "--operation and --instrument work on a program that storeprof starts: "
            "name the command after --, or put probes into it"
        )
    label = Path(command[0]).name if command else f"pid-{pid}"
    if len(command) > 1 and label.startswith("python") and command[1].endswith(".py"):
        label = Path(command[1]).name
    chosen = collected(options)
    recorded = RecordOptions(
        folder=options.out or default_folder(label),
        command=command,
        pid=pid,
        duration_s=options.duration,
        observer_budget=options.overhead_budget / 100,
        operations=tuple(dict.fromkeys(options.operation)),
        instrument=tuple(dict.fromkeys(options.instrument)),
        **{**chosen, "use_perf": chosen.get("use_perf", True) and not options.no_perf},
        call_graph=None if options.call_graph == "auto" else options.call_graph,
        description=asked_to_judge(options),
        use_allocation_hook=not options.no_alloc_hook,
        children=bool(command) if options.subprocesses is None else options.subprocesses,
        ops_pattern=options.ops_regex.encode() if options.ops_regex else OPS_PATTERN,
    )
    return record_and_say(recorded.folder, runs_below(recorded, options.runs))


def runs_below(recorded: Any, runs: int) -> list[Any]:
    """That recording once in its folder, or several times in folders below it."""
    from storeprof.session.runs import Planned

    if runs == 1:
        return [Planned(None, recorded)]
    return [Planned(None, replace(recorded, folder=recorded.folder / f"run-{number}")) for number in range(1, runs + 1)]


def record_and_say(folder: Path, planned: list[Any]) -> int:
    """Record, make the tables, and end with the line scripts read."""
    from storeprof.session.runs import record_all

    outcome = record_all(folder, planned)
    print(f"recording: {outcome.folder}", file=sys.stderr, flush=True)
    return outcome.exit_status
