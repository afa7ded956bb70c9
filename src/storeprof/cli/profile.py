"""`storeprof profile ENGINE`: drive an engine, record it, analyse, report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from storeprof.cli.arguments import (
    add_expect_option,
    add_recording_options,
    add_runs_option,
    add_target_option,
    asked_to_judge,
    positive,
    seconds,
    seed,
)
from storeprof.cli.collecting import add_collecting_options, collected, require_linux

# Measured seconds of a pass: what a tool counts needs no longer, and under some tools all takes ten times as long.
PASS_S = 10.0


def add_parser(commands: Any) -> None:
    """Add `profile` to the command line."""
    parser = commands.add_parser(
        "profile",
        help="drive an engine with a workload, record and judge it",
        description="Drive a storage engine with a seeded workload, record it, and say what its bottleneck is, if any.",
        epilog="Warm-up comes before --duration and is in no figure. Ctrl-C ends early and keeps the recording.",
    )
    parser.add_argument("engine", metavar="ENGINE", help="the engine: tsdb, the one that comes with storeprof")
    parser.add_argument(
        "--workload",
        default="mixed",
        metavar="W[,W]",
        help="write-heavy, mixed, several of them, or all (default: mixed); several get a table each",
    )
    parser.add_argument("--duration", type=seconds, default=20.0, metavar="S", help="measured seconds (default: 20)")
    parser.add_argument("--threads", type=positive, default=2, metavar="N", help="client threads (default: 2)")
    parser.add_argument("--seed", type=seed, default=1, metavar="K", help="seed of the workload (default: 1)")
    add_runs_option(parser)
    add_target_option(parser)
    add_expect_option(parser)
    add_recording_options(parser)
    add_collecting_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Drive, record, report."""
    from storeprof.cli import report
    from storeprof.engines.registry import find_engine
    from storeprof.session.folder import default_folder
    from storeprof.session.runs import record_all
    from storeprof.workload.catalogue import find_workloads

    require_linux("profile")
    find_engine(options.engine)
    workloads = [workload.name for workload in find_workloads(options.workload)]
    folder = options.out or default_folder(f"{options.engine}-{options.workload}")
    load = f"workload{'s' if len(workloads) > 1 else ''} {', '.join(workloads)}, {options.threads} threads"
    each = f", {options.runs} runs each" if options.runs > 1 else ""
    print(f"storeprof: {options.engine}, {load}, {options.duration:g} s after warm-up{each}", file=sys.stderr)
    outcome = record_all(folder, _planned(options, folder, workloads))
    report.show(outcome.folder)
    print(f"recording: {outcome.folder}", file=sys.stderr, flush=True)
    return outcome.exit_status


def _planned(options: argparse.Namespace, folder: Path, workloads: list[str]) -> list[Any]:
    """A run per workload and number; workloads in turn, so that a change of the machine meets them all alike."""
    if len(workloads) == 1 and options.runs == 1:
        return [_run(options, folder, workloads[0])]
    return [
        _run(options, (folder / workload if len(workloads) > 1 else folder) / f"run-{number}", workload)
        for number in range(1, options.runs + 1)
        for workload in workloads
    ]


def _run(options: argparse.Namespace, folder: Path, workload: str) -> Any:
    from storeprof.session.options import RecordOptions
    from storeprof.session.runs import Planned

    asked = {"engine": options.engine, "workload": workload, "threads": options.threads, "seed": options.seed}
    data = folder / "data"
    chosen = collected(options)
    recorded = RecordOptions(
        folder=folder,
        command=_driver(options, workload, data, options.duration),
        pass_command=_driver(options, workload, data, min(options.duration, PASS_S)),
        environment={"STOREPROF_WINDOW_FILE": str((folder / "window.json").absolute())},
        description=asked | asked_to_judge(options),
        observer_budget=options.overhead_budget / 100,
        **{**chosen, "use_perf": chosen.get("use_perf", True) and not options.no_perf},
        call_graph=None if options.call_graph == "auto" else options.call_graph,
        use_allocation_hook=not options.no_alloc_hook,
        children=options.subprocesses is not False,
    )
    return Planned(workload, recorded, scratch=data)


def _driver(options: argparse.Namespace, workload: str, data: Path, duration: float) -> tuple[str, ...]:
    return (
        sys.executable, "-m", "storeprof.workload.run", options.engine, "--workload", workload,
        "--duration", f"{duration:g}", "--threads", str(options.threads), "--dir", str(data.absolute()),
        "--seed", str(options.seed),
    )  # fmt: skip
