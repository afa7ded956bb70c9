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
