"""`storeprof baseline`: keep what a recording measured under a name, to compare with later."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from storeprof.cli.compare import add_baselines_option


def add_parser(commands: Any) -> None:
    """Add `baseline` to the command line."""
    parser = commands.add_parser(
        "baseline",
        help="keep what a recording measured under a name",
        description="Keep the figures of a recording, with its machine, as a baseline for compare and gate.",
        epilog="`storeprof compare --against NAME` compares with it. A later `save` keeps the earlier ones beside it.",
    )
    parser.add_argument("action", choices=("save", "list"), help="save one, or list those there are")
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of the baseline")
    parser.add_argument(
        "recording", nargs="?", type=Path, metavar="RECORDING", help="recording or series (default: the newest)"
    )
    parser.add_argument("--workload", metavar="W", help="keep the runs of this workload, where there are several")
    add_baselines_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Save or list."""
    from storeprof.duel.baselines import load, names, save
    from storeprof.duel.sides import side_of
    from storeprof.errors import RecordingError, UsageError
    from storeprof.session.folder import newest_recording

    if options.action == "list":
        if options.recording or options.workload:
            raise UsageError("`baseline list` takes a name at most")
        if options.name is not None:
            load(options.name, options.baselines)  # says what is wrong with it
        for name in [options.name] if options.name else names(options.baselines):
            try:
                about = load(name, options.baselines)[0].about
                print(f"{name}  {about.get('started_at') or '?'}  {about['machine'].get('cpu') or '?'}")
            except RecordingError as error:
                print(f"{name}  {error}")
        return 0
    if options.name is None:
        raise UsageError("name the baseline, as in `storeprof baseline save main`")
    side = side_of(options.recording or newest_recording(), options.workload)
    print(save(side, options.name, options.baselines))
    return 0
