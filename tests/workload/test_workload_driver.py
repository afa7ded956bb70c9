"""The driver: warm-up, measured window, one line at the end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Lock

import pytest

from storeprof.tsdb import StorageImpl
from storeprof.workload.catalogue import find_workload
from storeprof.workload.driver import DriverOptions, Stop, drive

LINE = re.compile(r"ops=(\d+) seconds=(\d+\.\d+)\n")


class CountingEngine:
    """An engine that only counts, or fails from some operation on."""

    def __init__(self, fails_at=None):
        self.lock = Lock()
        self.calls = 0
        self.last = {}
        self.fails_at = fails_at

    def write(self, labels, timestamp, value):
        """Counts, and checks the order of time."""
        key = tuple(labels.items())
        assert timestamp > self.last.get(key, 0), "a series goes back in time"
        self.last[key] = timestamp
        self.read(labels, timestamp, timestamp)

    def read(self, labels, start, end):
        """Counts."""
        with self.lock:
            self.calls += 1
        if self.calls == self.fails_at:
            raise RuntimeError("engine broke")

    query = read


def options(duration, threads=2, workload="mixed"):
    """Options of a run in this process."""
    return DriverOptions("tsdb", find_workload(workload), duration, threads, Path(), 1)


def command(directory, *arguments):
    """The command line of a run in its own process."""
    return [sys.executable, "-m", "storeprof.workload.run", "tsdb", "--dir", str(directory), *arguments]


@pytest.mark.parametrize("workload", ["write-heavy", "mixed"])
def test_program_runs_and_prints_one_line(tmp_path, workload):
    """The program prints exactly one line with operations and seconds, and leaves data that opens."""
    arguments = ["--workload", workload, "--duration", "1", "--threads", "2"]
    done = subprocess.run(command(tmp_path, *arguments), capture_output=True, text=True, check=True)
    line = LINE.fullmatch(done.stdout)
    assert line is not None
    assert int(line[1]) > 1000
    assert float(line[2]) == pytest.approx(1, abs=0.8)
    assert done.stderr == ""
    with StorageImpl.open(tmp_path) as storage:
        assert storage.query({"host": "host-001"}, 0, 1 << 62)


def test_window_file_tells_the_measured_window(tmp_path):
    """The file named by STOREPROF_WINDOW_FILE has the start after the warm-up, and everything at the end."""
    path = tmp_path / "window.json"
    start = time.monotonic_ns()
    child = subprocess.Popen(
        command(tmp_path / "data", "--duration", "1"),
        env={**os.environ, "STOREPROF_WINDOW_FILE": str(path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not path.exists():
        assert child.poll() is None
    first = json.loads(path.read_text())
    assert list(first) == ["start_ns"]
    assert first["start_ns"] > start + 400_000_000
    output, _ = child.communicate()
    last = json.loads(path.read_text())
    line = LINE.fullmatch(output)
    assert line is not None
    assert last["start_ns"] == first["start_ns"]
    assert (last["end_ns"] - last["start_ns"]) / 1e9 == pytest.approx(float(line[2]), abs=1e-6)
    assert last["ops"] == int(line[1])
    assert (last["counted"] is None) == (last["not_counted"] is not None)
    if last["counted"]:
        assert last["counted"]["fsyncs"] <= 5 < last["counted"]["system_calls"]  # one a second, by interval
    assert (last["threads"], last["workload"], last["engine"], last["seed"]) == (2, "write-heavy", "tsdb", 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_run_cleanly(tmp_path, number):
    """SIGINT and SIGTERM end the run early with the line, status 0, and a storage that was closed."""
    path = tmp_path / "window.json"
    child = subprocess.Popen(
        command(tmp_path / "data", "--duration", "20"),
        env={**os.environ, "STOREPROF_WINDOW_FILE": str(path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not path.exists():
        assert child.poll() is None
    child.send_signal(number)
    output, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert LINE.fullmatch(output)
    assert not list((tmp_path / "data").glob("wal-*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing", "--dir", "d"], "there is no engine 'nothing'; known engines: tsdb"),
        (
            ["tsdb", "--dir", "d", "--workload", "x"],
            "there is no workload 'x'; known workloads: mixed, write-heavy",
        ),
        (["tsdb", "--dir", "d", "--threads", "0"], "--threads 0"),
        (["tsdb", "--dir", "d", "--duration", "-1"], "--duration -1.0"),
    ],
)
def test_mistakes_are_one_line(tmp_path, arguments, says):
    """A wrong argument is one line that says what would be right, and status 2."""
    program = [sys.executable, "-m", "storeprof.workload.run", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_directory_in_use_is_one_line(tmp_path):
    """A storage that is open elsewhere is one line and no traceback."""
    with StorageImpl.open(tmp_path):
        done = subprocess.run(command(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is open already" in done.stderr
    assert done.stderr.count("\n") == 1


def test_window_counts_operations_after_the_warm_up_only():
    """Operations of the warm-up are not in the window, and a series is always written forward in time."""
    engine = CountingEngine()
    at_start = []
    window = drive(engine, options(0.3), Stop(), warm=lambda start_ns: at_start.append((start_ns, engine.calls)))
    [(start_ns, before)] = at_start
    assert window.start_ns == start_ns
    assert before > 0
    assert 0 < window.ops < engine.calls
    assert window.seconds >= 0.3


def test_stop_during_the_warm_up_gives_an_empty_window():
    """A run that was stopped before its window began has no operations to report."""
    stop = Stop()
    stop.set()
    window = drive(CountingEngine(), options(30), stop, warm=lambda _: None)
    assert (window.ops, window.seconds) == (0, 0.0)


def test_failing_engine_ends_the_run():
    """What an operation raises is raised by the driver, without waiting for the end of the duration."""
    with pytest.raises(RuntimeError, match="engine broke"):
        drive(CountingEngine(fails_at=1000), options(3600), Stop(), warm=lambda _: None)


@pytest.mark.parametrize(("duration", "warm_up"), [(1, 0.5), (20, 2.0), (600, 5.0)])
def test_warm_up_is_a_tenth_within_bounds(duration, warm_up):
    """The warm-up takes a tenth of the duration, from half a second up to five."""
    assert options(duration).warmup_s == warm_up


def test_program_loads_nothing_large():
    """The program under study imports neither numpy nor duckdb nor rich."""
    code = "import sys, storeprof.workload.run; print({'numpy', 'duckdb', 'rich'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
