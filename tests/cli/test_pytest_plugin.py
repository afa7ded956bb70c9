"""`pytest --storeprof`: marked tests are recorded, each in a process of its own, and gated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from storeprof.system_calls import SystemCalls

TESTS = """
import os
import time
import pytest
from storeprof import profile_operation

def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

@pytest.mark.storeprof(
    rules=[{"metric": "run_time", "at_most": 30}, {"metric": "fsyncs_per_operation", "at_most": 3}]
)
def test_quick(tmp_path):
    spin(0.4)
    with open(tmp_path / "data", "w") as file:
        for _ in range(3):
            os.fsync(file.fileno())

@pytest.mark.storeprof(rules=[{"metric": "run_time", "at_most": 0.1}])
def test_slow():
    for _ in range(4):
        profile_operation(spin)(0.1)

@pytest.mark.storeprof
@pytest.mark.xfail
def test_expected_to_fail():
    assert spin is None

@pytest.mark.storeprof
def test_skips_itself():
    pytest.skip("no disk here")

@pytest.mark.storeprof(rulez=[])
def test_mistyped():
    pass

def test_plain():
    pass
"""

ENGINE = """
import os

class Store:
    def put(self, file):
        os.fsync(file.fileno())
"""
OPERATIONS = """
import pytest
from engine import Store

@pytest.fixture
def file(tmp_path):
    with open(tmp_path / "data", "w") as file:
        for _ in range(50):
            Store().put(file)
        yield file

@pytest.mark.storeprof(
    operations=["engine.Store.put", "engine.Store.get"],
    rules=[{"metric": "fsyncs_per_operation", "operation": "Store.put", "at_most": 1, "at_least": 1}],
)
def test_puts(file):
    for _ in range(300):
        Store().put(file)
"""


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run those tests in a folder of their own."""
    (folder / "test_engine.py").write_text(TESTS, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--strict-markers", *options],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_marked_tests_are_recorded_and_gated(tmp_path: Path) -> None:
    """Within its limits one passes, over them one fails with the rule (with probes, too); each leaves a recording.

    What fails as expected, and what skips itself, does so here, too.
    """
    done = run_pytest(tmp_path, "--storeprof")
    assert "2 failed, 2 passed, 1 skipped, 1 xfailed" in done.stdout, done.stdout + done.stderr
    assert "mark storeprof does not know rulez; it knows against, operations, rules" in done.stdout
    assert "During handling of the above exception" not in done.stdout
    assert "regressed: run_time: at most 0.1" in done.stdout
    counted = "passed: fsyncs_per_operation: at most 3: it is 3"  # of the test's own call, to the last one
    assert (counted in done.stdout) == (SystemCalls().reason is None)
    recordings = sorted(path.name for path in (tmp_path / "storeprof-runs").iterdir())
    assert len(recordings) == 4
    assert recordings[0].endswith("test-quick")


def test_without_the_option_nothing_is_recorded(tmp_path: Path) -> None:
    """The mark alone changes nothing."""
    done = run_pytest(tmp_path)
    assert "4 passed, 1 skipped, 1 xfailed" in done.stdout, done.stdout + done.stderr
    assert not (tmp_path / "storeprof-runs").exists()


def test_operations_are_those_of_the_test_alone(tmp_path: Path) -> None:
    """Each put syncs once: to the last one, whatever the fixture did before, and what can't be timed is named."""
    (tmp_path / "engine.py").write_text(ENGINE, encoding="utf-8")
    (tmp_path / "test_puts.py").write_text(OPERATIONS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--storeprof", "test_puts.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "not timed: engine.Store.get: " in done.stdout, done.stdout + done.stderr
    counted = "passed: fsyncs_per_operation of Store.put: at most 1, at least 1: it is 1"
    assert (counted in done.stdout) == (SystemCalls().reason is None)
