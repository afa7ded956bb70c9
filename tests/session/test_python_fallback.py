"""What becomes of Python versions that the observer can't read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recordings import PROGRAMS, findings, record
from storeprof.collect.py_spy import PySpy, PySpyOptions
from storeprof.errors import CollectorError

CALLS = PROGRAMS / "observe_calls.py"
PYENV = Path.home() / ".pyenv" / "versions"
OLDER = [str(path) for minor in (8, 9, 10) for path in sorted(PYENV.glob(f"3.{minor}.*/bin/python3"))]


def event(phase: str, name: str, at_us: int, line: int = 0, thread: int = 7) -> dict[str, object]:
    """One event of a trace as py-spy writes it."""
    where = {"filename": "/x/engine.py" if line else "", "line": line}
    return {"args": where, "cat": "py-spy", "name": name, "ph": phase, "pid": 1, "tid": thread, "ts": at_us}


def test_a_trace_becomes_stacks_with_times() -> None:
    """Between two events a thread has one stack, leaf first; its outermost frame names the thread."""
    label = "thread (0x7F01): Thread-1 (work)"
    trace = [
        *(event("B", label, 10), event("B", "work", 10, 5), event("B", "flush", 10, 9)),
        *(event("E", "flush", 40, 9), event("E", "work", 90, 5), event("E", label, 90)),
    ]
    stacks = PySpy().parse(json.dumps(trace))
    work, flush = ("work", "/x/engine.py", 5), ("flush", "/x/engine.py", 9)
    assert [(one.thread, one.name) for one in stacks] == [(0x7F01, "Thread-1 (work)")] * 2
    assert [(one.start_us, one.end_us, one.frames) for one in stacks] == [(10, 40, (flush, work)), (40, 90, (work,))]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"tid": 1}]', '[{"tid":1,"ts":5,"ph":"E"}]'])
def test_a_damaged_trace_is_an_error_of_the_collector(text: str) -> None:
    """What is no trace is told as the collector's error, whatever it is (an empty object has no events)."""
    if text == "{}":
        assert PySpy().parse(text) == []
        return
    with pytest.raises(CollectorError, match="can't be read"):
        PySpy().parse(text)


def test_the_program_is_never_stopped() -> None:
    """py-spy is told not to stop the program."""
    assert "--nonblocking" in PySpy().command(PySpyOptions(1, Path("x")))


@pytest.mark.parametrize("python", OLDER)
def test_py_spy_stands_in(tmp_path: Path, python: str) -> None:
    """A hot function of a Python that the observer can't read is named with its share, and coverage says by whom."""
    done = record(tmp_path, python, CALLS, "4")
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    hot, mild = document["functions"][:2]
    assert (hot["function"], mild["function"]) == ("observe_calls.hot", "observe_calls.mild")
    assert 0.5 < hot["self_cpu_share"] < 0.95
    assert hot["self_cpu_share"] + mild["self_cpu_share"] > 0.9
    coverage = {row["kind"]: row for row in document["coverage"]}
    assert (coverage["cpu-hotspot"]["checked"], coverage["cpu-hotspot"]["by"]) == (True, "py-spy")
    assert not coverage["gil-contention"]["checked"]
    assert "3.11 to 3.13" in coverage["gil-contention"]["remedy"]


def test_without_py_spy_coverage_says_what_to_install(tmp_path: Path) -> None:
    """Where py-spy is missing, one line says why Python functions have no names and what would help."""
    python = OLDER[-1] if OLDER else forged(tmp_path, 0x030E00F0, 0)
    start = "import sys; sys.executable = '/nowhere/python'; from storeprof.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "record", "--out", str(tmp_path / "recording"), "--", python]
    arguments = [str(CALLS), "1.5"] if OLDER else []
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(  # noqa: PLW1510 (the status is looked at below)
        [*command, *arguments], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    coverage = {row["kind"]: row for row in findings(tmp_path)["coverage"]}["cpu-hotspot"]
    assert "functions have no names" in coverage["reason"]
    assert "py-spy is not installed" in coverage["reason"]
    assert "pip install py-spy" in coverage["remedy"]


def test_what_py_spy_can_not_read_either_is_told_with_both_reasons(tmp_path: Path) -> None:
    """A free-threaded build is refused by the observer, and py-spy can't read it: coverage says so in one line."""
    done = record(tmp_path, forged(tmp_path, 0x030D00F0, 1))
    assert done.status == 0, done.stderr
    coverage = {row["kind"]: row for row in findings(tmp_path)["coverage"]}
    for kind in ("cpu-hotspot", "gil-contention"):
        assert "free-threaded builds of Python 3.13 are not supported" in coverage[kind]["reason"]
        assert "and py-spy failed: " in coverage[kind]["reason"]
        assert "\n" not in coverage[kind]["reason"]
        assert "Python 3.11 to 3.13" in coverage[kind]["remedy"]


def forged(folder: Path, version: int, free_threaded: int) -> str:
    """A program with the runtime of a Python that is not installed."""
    source, program = folder / "forged.c", folder / "forged"
    cookie = int.from_bytes(b"xdebugpy", "little")
    source.write_text(
        "#include <stdint.h>\n#include <unistd.h>\n"
        f"uint64_t _PyRuntime[4096] = {{{cookie}u, {version}u, {free_threaded}u}}, PyCode_Type[64];\n"
        "int main(void) { usleep(1500000); return 0; }\n"
    )
    subprocess.run(["cc", "-rdynamic", str(source), "-o", str(program)], check=True)
    return str(program)
