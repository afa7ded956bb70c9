"""`storeprof compare`: what changed between two recordings, how surely, and where."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from storeprof.cli.arguments import percent
from storeprof.errors import UsageError

EPILOG = """\
Recordings made one after the other can't settle small effects; `storeprof duel` runs both versions in turn.
Several runs a side (`record --runs 5`) bring the spread between runs into the intervals.
"""


def add_parser(commands: Any) -> None:
    """Add `compare` to the command line."""
    parser = commands.add_parser(
        "compare",
        help="what changed between two recordings, and where",
        description="Compare two recordings, or two series of runs: each metric with its interval, and where.",
        usage="storeprof compare BASELINE CANDIDATE [OPTIONS]\n"
        "       storeprof compare --against NAME [CANDIDATE] [OPTIONS]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recordings", nargs="*", type=Path, metavar="RECORDING", help="baseline and candidate")
    add_side_options(parser)
    parser.add_argument("--json", action="store_true", help="print the comparison document")
    add_threshold_options(parser)
    parser.set_defaults(run=run)


def add_side_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what is compared with what."""
    parser.add_argument("--against", metavar="NAME", help="the baseline saved under this name, instead of a recording")
    parser.add_argument("--workload", metavar="W", help="compare the runs of this workload, where there are several")
    add_baselines_option(parser)


def add_baselines_option(parser: argparse.ArgumentParser) -> None:
    """`--baselines`, of all commands that keep or read them."""
    parser.add_argument(
        "--baselines",
        type=Path,
        default=Path("storeprof-baselines"),
        metavar="DIR",
        help="where baselines are kept (default: ./storeprof-baselines)",
    )


def add_threshold_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what counts as a change."""
    parser.add_argument(
        "--least", type=percent, default=1.0, metavar="PERCENT", help="smallest change that counts (default: 1)"
    )
    parser.add_argument(
        "--within",
        type=percent,
        default=5.0,
        metavar="PERCENT",
        help="call a metric unchanged when its whole interval is this near to no change (default: 5)",
    )


def run(options: argparse.Namespace) -> int:
    """Compare and print."""
    from storeprof.compare.comparison import compare
    from storeprof.compare.judgement import Thresholds
    from storeprof.report.comparison import print_comparison

    baseline, candidate, warnings = sides(options)
    document = compare(baseline, candidate, Thresholds(0.05, options.least / 100, options.within / 100))
    document["warnings"] = warnings + document["warnings"]
    if options.json:
        print(json.dumps(document, indent=1))
    else:
        print_comparison(document, sys.stdout)
    return 0


def sides(options: argparse.Namespace) -> tuple[Any, Any, list[str]]:
    """Baseline, candidate, and warnings about the baseline. Raises UsageError when it is not clear which they are."""
    from storeprof.duel.baselines import load
    from storeprof.duel.sides import side_of
    from storeprof.session.folder import newest_recording

    recordings = options.recordings
    wanted = 1 if options.against else 2
    if len(recordings) > wanted or (not options.against and len(recordings) < wanted):
        raise UsageError("name two recordings, or `--against NAME` and at most one; see `storeprof compare --help`")
    if options.against:
        baseline, warnings = load(options.against, options.baselines)
        candidate = recordings[0] if recordings else newest_recording()
        return baseline, side_of(candidate, options.workload), warnings
    return side_of(recordings[0], options.workload), side_of(recordings[1], options.workload), []
