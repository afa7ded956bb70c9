"""`python -m storeprof.workload.run ENGINE`: the program under study that `storeprof profile` starts.

Prints `ops=N seconds=S` of the measured window. SIGINT and SIGTERM end the run early and cleanly.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from storeprof.engines.registry import ENGINES, find_engine
from storeprof.errors import StoreprofError, UsageError
from storeprof.system_calls import SystemCalls
from storeprof.workload.catalogue import WORKLOADS, find_workload
from storeprof.workload.driver import DriverOptions, Stop, Window, drive, write_window_file

WINDOW_FILE = "STOREPROF_WINDOW_FILE"


def parse(arguments: list[str] | None = None) -> DriverOptions:
    """Options of the command line. Raises UsageError."""
    parser = argparse.ArgumentParser(prog="storeprof.workload.run", description="Drives a storage engine.")
    parser.add_argument("engine", help=f"one of: {', '.join(ENGINES)}")
    parser.add_argument("--workload", default="write-heavy", help=f"one of: {', '.join(WORKLOADS)}")
    parser.add_argument("--duration", type=float, default=20.0, help="seconds measured, after the warm-up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dir", type=Path, required=True, help="directory of the storage")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    if not 0 < given.duration < float("inf"):
        raise UsageError(f"--duration {given.duration} is no time; give a number of seconds above 0")
    if given.threads < 1:
        raise UsageError(f"--threads {given.threads} is no number of threads; give 1 or more")
    engine, workload = find_engine(given.engine).name, find_workload(given.workload)
    return DriverOptions(engine, workload, given.duration, given.threads, given.dir, given.seed)


def run(options: DriverOptions, stop: Stop) -> Window:
    """Opens the engine, runs the load, closes the engine; keeps the window file if one is asked for."""
    path = os.environ.get(WINDOW_FILE)

    def tell(values: dict[str, Any]) -> None:
        if path:
            write_window_file(Path(path), values)

    calls = SystemCalls() if path else None
    engine = find_engine(options.engine).make()
    engine.open(options.directory)
    try:
        window = drive(engine, options, stop, lambda start_ns: tell({"start_ns": start_ns}), calls)
        tell(
            {
                "start_ns": window.start_ns,
                "end_ns": window.end_ns,
                "ops": window.ops,
                "threads": options.threads,
                "workload": options.workload.name,
                "engine": options.engine,
                "seed": options.seed,
                "counted": window.counted,
                "not_counted": calls.reason if calls else None,
            }
        )
    finally:
        engine.close()
    return window


def main(arguments: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        window = run(parse(arguments), stop)
    except StoreprofError as error:
        print(f"storeprof.workload.run: {error}", file=sys.stderr)
        return error.exit_status
    print(f"ops={window.ops} seconds={window.seconds:.6f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
