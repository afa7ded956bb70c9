"""storeprof dies at any moment, and the program goes on with the output it has without storeprof."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "recorder_kills.py"


def test_the_programs_output_is_the_same_whenever_storeprof_is_killed() -> None:
    """A few of the thousand random kills of `make stress-kills`: threads, coroutines and a fork under probes."""
    done = subprocess.run([sys.executable, str(SCRIPT), "--kills", "5"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 kills")
