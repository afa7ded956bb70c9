"""Outside tools are started, bounded and ended as promised, and by one module only."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from collect_support import SOURCES, driver, eventually, is_gone, outcome

from storeprof.collect.tool_process import BackgroundTool, run_tool
from storeprof.errors import CollectorError

STARTS_PROCESSES = re.compile(
    r"^\s*(import|from) (subprocess|multiprocessing|pty)\b|"
    r"\bos\.(fork|forkpty|posix_spawnp?|system|popen|exec[vl]\w*|spawn[vl]\w*)\(",
    re.MULTILINE,
)


def test_only_one_module_starts_processes() -> None:
    """No module but tool_process mentions what starts a process."""
    found = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if STARTS_PROCESSES.search(path.read_text())
    }
    assert found == {"collect/tool_process.py"}


def test_a_tool_returns_what_it_said() -> None:
    """Status, standard output and standard error come back apart, and input is passed on."""
    result = run_tool(["sh", "-c", "cat; echo problem >&2; exit 3"], timeout_s=10, input=b"hello")
    assert (result.status, result.stdout, result.stderr, result.timed_out) == (
        3,
        b"hello",
        b"problem\n",
        False,
    )


def test_a_tool_writes_large_output_to_a_file(tmp_path: Path) -> None:
    """With a path for it, standard output goes to the file and not into memory."""
    result = run_tool(["head", "-c", "300000", "/dev/zero"], timeout_s=10, stdout_path=tmp_path / "out")
    assert (result.stdout, (tmp_path / "out").stat().st_size) == (b"", 300_000)


def test_a_missing_tool_is_one_clear_line() -> None:
    """A tool that is not installed is a CollectorError that names it."""
    with pytest.raises(CollectorError, match=r"^no-such-tool could not be started: it is not installed[^\n]*$"):
        run_tool(["no-such-tool"], timeout_s=1)


def test_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    """When its time is over, a tool is killed together with what it started."""
    script = f"sleep 100 & echo $! > {tmp_path / 'pid'}; echo begun; wait"
    result = run_tool(["sh", "-c", script], timeout_s=0.5)
    assert (result.timed_out, result.status, result.stdout) == (True, 128 + signal.SIGKILL, b"begun\n")
    assert eventually(lambda: is_gone(int((tmp_path / "pid").read_text())))


def test_tool_that_leaves_its_group_cannot_hold_us() -> None:
    """A process that escaped the group and keeps the pipes open does not keep us beyond the time limit."""
    result = run_tool(["setsid", "sh", "-c", "echo begun; echo $$; sleep 30"], timeout_s=0.5)
    lines = result.stdout.split()
    if len(lines) == 2 and not is_gone(int(lines[1])):
        os.kill(int(lines[1]), signal.SIGKILL)
    assert result.timed_out


def test_background_tool_stops_by_interrupt(tmp_path: Path) -> None:
    """`stop` asks with SIGINT, and what the tool says then is kept."""
    script = "trap 'echo bye >&2; exit 0' INT; echo ready >&2; while :; do sleep 0.05; done"
    tool = BackgroundTool(["sh", "-c", script], tmp_path / "stderr")
    assert eventually(lambda: "ready" in tool.stderr())
    assert os.getpgid(tool.pid) == tool.pid != os.getpgid(0)
    assert (tool.stop(), tool.stderr(), tool.running()) == (0, "ready\nbye\n", False)


def test_background_tool_that_ignores_us_is_killed(tmp_path: Path) -> None:
    """A tool that does not react to SIGINT in time is killed."""
    script = "trap '' INT; echo ready >&2; while :; do sleep 0.05; done"
    tool = BackgroundTool(["sh", "-c", script], tmp_path / "stderr")
    assert eventually(lambda: "ready" in tool.stderr())
    assert tool.stop(timeout_s=0.2) == 128 + signal.SIGKILL


def test_background_tool_dies_with_storeprof(tmp_path: Path) -> None:
    """When storeprof is killed, the kernel ends the tools it left behind."""
    assert subprocess.run(driver("tool", tmp_path, "sleep", "100"), check=False).returncode == -signal.SIGKILL
    assert eventually(lambda: is_gone(outcome(tmp_path)["pid"]))
