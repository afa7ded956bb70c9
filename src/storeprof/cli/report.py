"""`storeprof report`: findings of a recording, for people."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from storeprof.cli.arguments import add_fold_option, add_target_option


def add_parser(commands: Any) -> None:
    """Add `report` to the command line."""
    parser = commands.add_parser(
        "report",
        help="findings of a recording, for people",
        description="Show the verdict of a recording and what it rests on, on one screen.",
    )
    parser.add_argument(
        "recording", nargs="?", type=Path, help="folder of a recording or of several runs (default: the newest)"
    )
    add_target_option(parser)
    add_fold_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Analyse and show."""
    from storeprof.session.folder import newest_recording

    show(options.recording or newest_recording(), options.target, options.fold_templates)
    return 0


def show(folder: Path, target_per_s: float | None = None, fold_templates: bool = False) -> None:
    """Print the report of a recording, or of several runs."""
    from storeprof.report.terminal import print_report
    from storeprof.session.documents import findings_of

    print_report(findings_of(folder, target_per_s, fold_templates), sys.stdout)
