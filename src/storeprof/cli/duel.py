"""`storeprof duel`: two versions measured in turn, until it is settled which is better, and by how much."""

from __future__ import annotations

import argparse
import json
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from storeprof.cli.arguments import positive, seconds, seed, two_or_more
from storeprof.cli.compare import add_threshold_options
from storeprof.errors import UsageError

EPILOG = """\
An engine is driven in slices of 5 ms, and so is a command that speaks the slice protocol (--slices;
docs/formats/slices.md). Of any other command whole runs alternate, which is much weaker; a line `ops=N seconds=S`
makes its throughput known, and STOREPROF_SEED is the same for both of a pair. `{dir}` in a command stands for a fresh
folder. Exit status: 0 improved or unchanged, 1 regressed, 3 can't tell, 2 unusable input.

examples:
  storeprof duel --engine tsdb --baseline-rev main --candidate-rev HEAD
  storeprof duel --engine tsdb --baseline-set sync=interval --candidate-set sync=always
  storeprof duel --baseline './bench-old {dir}' --candidate './bench-new {dir}'
  storeprof duel --slices --self --baseline './worker {dir}'
"""


def add_parser(commands: Any) -> None:
    """Add `duel` to the command line."""
    parser = commands.add_parser(
        "duel",
        help="two versions measured in turn: which is better, and by how much",
        description="Measure two versions in turn, pair by pair of processes, until the question is settled.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sides = parser.add_argument_group("what is compared")
    sides.add_argument("--baseline", metavar="COMMAND", help="the version before, as a command line")
    sides.add_argument("--candidate", metavar="COMMAND", help="the version after")
    sides.add_argument("--slices", action="store_true", help="both commands speak the slice protocol")
    sides.add_argument("--engine", metavar="ENGINE", help="drive this engine instead of commands: tsdb")
    sides.add_argument("--workload", default="mixed", metavar="W", help="workload of the engine (default: mixed)")
    sides.add_argument("--baseline-rev", metavar="REV", help="check this git revision out for the baseline")
    sides.add_argument("--candidate-rev", metavar="REV", help="and this one for the candidate (default: as it is here)")
    sides.add_argument(
        "--build",
        metavar="COMMAND",
        help="run this in each checkout (default for engines: pip install into a folder of it)",
    )
    for name, of in (("--set", "both sides"), ("--baseline-set", "the baseline"), ("--candidate-set", "the candidate")):
        sides.add_argument(
            name, action="append", default=[], metavar="KEY=VALUE", help=f"a setting of the engine, {of}"
        )
    sides.add_argument("--self", action="store_true", help="the baseline against itself: false alarms, smallest change")
    how = parser.add_argument_group("how")
    how.add_argument("--budget", type=seconds, default=180.0, metavar="S", help="seconds for the pairs (default: 180)")
    how.add_argument("--pairs", type=two_or_more, metavar="N", help="at most so many pairs, from 2 on")
    how.add_argument("--slices-per-pair", type=positive, default=200, metavar="N", help="of 5 ms each (default: 200)")
    how.add_argument("--timeout", type=seconds, default=600.0, metavar="S", help="longest run (default: 600)")
    how.add_argument("--seed", type=seed, default=1, metavar="K", help="seed of operations and order (default: 1)")
    how.add_argument("--ops-regex", metavar="REGEX", help="how a command states its count, as for `record`")
    how.add_argument("--no-explain", action="store_true", help="do not record both versions once to place a change")
    how.add_argument("--out", type=Path, metavar="DIR", help="folder of the duel (default: ./storeprof-runs/TIME-duel)")
    how.add_argument("--json", action="store_true", help="print the comparison document")
    add_threshold_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fight it out, show it, and answer by the exit status."""
    from storeprof.cli.duel_versions import versions
    from storeprof.duel.duel import fight
    from storeprof.duel.ending import ended_by_signals
    from storeprof.duel.self_check import check
    from storeprof.report.comparison import print_comparison
    from storeprof.report.self_check import print_self_check
    from storeprof.session.folder import default_folder, make_folder, remove_folder

    folder = options.out or default_folder("duel")
    created = make_folder(folder)
    try:
        with ended_by_signals(), ExitStack() as stack:
            asked = _options(options, folder, *versions(options, folder, stack))
            heard = _heard(sys.stderr)
            document = check(asked, heard) if options.self else fight(asked, heard)
    except KeyboardInterrupt:
        print("storeprof: ended before there were two pairs of processes: nothing can be told", file=sys.stderr)
        raise
    finally:
        if not any(path.is_file() for path in folder.rglob("*")):  # nothing was measured
            remove_folder(folder, created)
    if options.json:
        print(json.dumps(document, indent=1))
    elif options.self:
        print_self_check(document, sys.stdout)
    else:
        print_comparison(document, sys.stdout)
    print(f"duel: {folder}", file=sys.stderr)
    return 0 if options.self else {"regressed": 1, "cannot-tell": 3}.get(document["verdict"], 0)


def _options(options: argparse.Namespace, folder: Path, baseline: Any, candidate: Any) -> Any:
    from storeprof.collect.output_relay import OPS_PATTERN
    from storeprof.compare.judgement import Thresholds
    from storeprof.duel.options import DuelOptions

    return DuelOptions(
        folder=folder,
        baseline=baseline,
        candidate=candidate,
        slices=options.slices or bool(options.engine),
        budget_s=options.budget,
        most_pairs=options.pairs,
        seed=options.seed,
        slices_per_pair=options.slices_per_pair,
        timeout_s=options.timeout,
        ops_pattern=ops_pattern(options.ops_regex) if options.ops_regex else OPS_PATTERN,
        thresholds=Thresholds(0.05, options.least / 100, options.within / 100),
        explain=not options.no_explain,
    )


def ops_pattern(text: str) -> bytes:
    """A regular expression of the user's. Raises UsageError when it is none."""
    try:
        re.compile(text.encode())
    except re.error as error:
        raise UsageError(f"--ops-regex {text!r} is no regular expression: {error}") from None
    return text.encode()


def _heard(stream: Any) -> Any:
    """A line after each pair, on a terminal only."""

    def said(pairs: int, left_s: float) -> None:
        if stream.isatty():
            stream.write(
                f"\r\x1b[2Kstoreprof: {pairs} pairs, {left_s:.0f} s left at most; Ctrl-C ends with what there is"
            )
            stream.flush()

    return said


def settings_of(pairs: list[str]) -> dict[str, str]:
    """KEY=VALUE options as a mapping. Raises UsageError."""
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"--set {pair}: is not KEY=VALUE, as in sync=always")
    return dict(pair.split("=", 1) for pair in pairs)
