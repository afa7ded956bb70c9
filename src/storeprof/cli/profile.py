"""`storeprof profile ENGINE`: drive an engine, record it, analyse, report."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from storeprof.cli.arguments import add_recording_options, positive, seconds, seed


def add_parser(commands: Any) -> None:
    """Add `profile` to the command line."""
    parser = commands.add_parser(
        "profile",
        help="drive an engine with a workload, record and judge it",
        description="Drive a storage engine with a seeded workload, record it, and say what its bottleneck is, if any.",
        epilog="Warm-up comes before --duration and is in no figure. Ctrl-C ends early and keeps the recording.",
    )
    parser.add_argument("engine", metavar="ENGINE", help="the engine: tsdb, the one that comes with storeprof")
    parser.add_argument("--workload", default="mixed", metavar="W", help="write-heavy or mixed (default: mixed)")
    parser.add_argument("--duration", type=seconds, default=20.0, metavar="S", help="measured seconds (default: 20)")
    parser.add_argument("--threads", type=positive, default=2, metavar="N", help="client threads (default: 2)")
    parser.add_argument("--seed", type=seed, default=1, metavar="K", help="seed of the workload (default: 1)")
    add_recording_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Drive, record, report."""
    from storeprof.cli import report
    from storeprof.engines.registry import find_engine
    from storeprof.session.finish import open_recording
    from storeprof.session.folder import default_folder
    from storeprof.session.options import RecordOptions
    from storeprof.session.progress import Progress
    from storeprof.session.recorder import record
    from storeprof.workload.catalogue import find_workload

    find_engine(options.engine)
    find_workload(options.workload)
    folder = options.out or default_folder(f"{options.engine}-{options.workload}")
    data = folder / "data"
    asked = {
        "engine": options.engine,
        "workload": options.workload,
        "threads": options.threads,
        "seed": options.seed,
    }
    print(
        f"storeprof: {options.engine}, workload {options.workload}, {options.threads} threads, "
        f"{options.duration:g} s after warm-up",
        file=sys.stderr,
    )
    outcome = record(
        RecordOptions(
            folder=folder,
            command=_driver(options, data),
            environment={"STOREPROF_WINDOW_FILE": str((folder / "window.json").absolute())},
            description=asked,
            observer_budget=options.overhead_budget / 100,
            use_perf=not options.no_perf,
            children=options.subprocesses is not False,
        ),
        Progress(sys.stderr, options.duration),
    )
    shutil.rmtree(data, ignore_errors=True)
    report.show(open_recording(outcome.folder))
    print(f"recording: {outcome.folder}", file=sys.stderr, flush=True)
    return outcome.exit_status


def _driver(options: argparse.Namespace, data: Path) -> tuple[str, ...]:
    return (
        sys.executable, "-m", "storeprof.workload.run", options.engine, "--workload", options.workload,
        "--duration", f"{options.duration:g}", "--threads", str(options.threads), "--dir", str(data.absolute()),
        "--seed", str(options.seed),
    )  # fmt: skip
