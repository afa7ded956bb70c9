"""`storeprof report`: findings of a recording, for people."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storeprof.cli.arguments import add_judging_options, asked_for

if TYPE_CHECKING:
    from storeprof.analysis.settings import Settings


def add_parser(commands: Any) -> None:
    """Add `report` to the command line."""
    parser = commands.add_parser(
        "report",
        help="findings of a recording, for people",
        description="Show the verdict of a recording and what it rests on, on one screen; with --html as one page that "
        "opens in a browser without a network: flame graph, latencies, waits over time, memory, files, locks.",
    )
    parser.add_argument(
        "recording", nargs="?", type=Path, help="folder of a recording or of several runs (default: the newest)"
    )
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write the report as one HTML file (replaces FILE) instead of printing it",
    )
    parser.add_argument(
        "--against", type=Path, metavar="BASELINE", help="show what changed against this earlier recording"
    )
    add_judging_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Analyse and show."""
    from storeprof.session.folder import newest_recording

    folder, asked = options.recording or newest_recording(), asked_for(options)
    if options.html:
        from storeprof.cli.html_report import write_page

        write_page(options.html, folder, options.against, asked)
    elif options.against:
        show_difference(folder, options.against, asked)
    else:
        show(folder, asked)
    return 0


def show(folder: Path, asked: Settings | None = None) -> None:
    """Print the report of a recording, or of several runs."""
    from storeprof.report.terminal import print_report
    from storeprof.session.documents import findings_of

    print_report(findings_of(folder, asked), sys.stdout)


def show_difference(folder: Path, against: Path, asked: Settings) -> None:
    """Print what changed between two recordings."""
    from storeprof.report.difference import print_difference
    from storeprof.session.documents import findings_of

    print_difference(findings_of(folder, asked), findings_of(against, asked), sys.stdout)
