"""On a system without the observer storeprof reads recordings, and says what to do instead of recording."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from recordings import PROGRAMS, storeprof

ELSEWHERE = """
import sys
sys.platform = "darwin"
for name in ("storeprof.observe._observer", "storeprof.probe._recorder"):
    sys.modules[name] = None
"""
MAIN = ELSEWHERE + "from storeprof.cli.main import main\nsys.exit(main(sys.argv[1:]))"
PROBES = (
    ELSEWHERE
    + """
from storeprof import profile_function, profile_memory_alloc, profile_operation, profile_scope
@profile_function
def get(): return 1
@profile_operation("put")
def put():
    with profile_scope("index"):
        profile_memory_alloc("Row", 8)
        return 2
assert (get(), put()) == (1, 2)
"""
)


def elsewhere(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line as on a Mac."""
    argv = [sys.executable, "-c", MAIN, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_recordings_are_read_where_none_can_be_made(tmp_path: Path) -> None:
    """analyze and report work without the extensions; record says what to run instead, with 125."""
    program = PROGRAMS / "signals.py"
    assert storeprof("record", "--out", tmp_path / "r", "--", sys.executable, program, "exit", "0").status == 0
    assert elsewhere("report", tmp_path / "r").stdout == storeprof("report", tmp_path / "r").stdout
    done = elsewhere("record", "--", "true")
    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert "`record` is Linux's; here run scripts/profile_storageimpl.sh" in done.stderr
    assert elsewhere("doctor").returncode == 0


def test_a_program_with_probes_runs_where_there_is_no_recorder() -> None:
    """Decorators and scopes of Python programs do nothing there."""
    done = subprocess.run([sys.executable, "-c", PROBES], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
