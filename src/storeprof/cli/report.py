"""`storeprof report`: findings of a recording, for people."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add `report` to the command line."""
    parser = commands.add_parser(
        "report",
        help="findings of a recording, for people",
        description="Show the verdict of a recording and what it rests on, on one screen.",
    )
    parser.add_argument("recording", nargs="?", type=Path, help="folder of a recording (default: the newest)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Analyse and show."""
    from storeprof.session.finish import open_recording
    from storeprof.session.folder import newest_recording

    show(open_recording(options.recording or newest_recording()))
    return 0


def show(recording: Any) -> None:
    """Print the report of an opened recording."""
    from storeprof.analysis.document import analyze
    from storeprof.report.terminal import print_report

    print_report(analyze(recording), sys.stdout)
