"""`storeprof top` in a real terminal of 80 x 24."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal

import storeprof
from recordings import PROGRAMS, STOREPROF
from recordings import storeprof as run_storeprof

PROGRAM = (sys.executable, PROGRAMS / "exported.py")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal whose shell stands in the test's folder."""
    monkeypatch.setenv("RUN_SECONDS", "60")
    found = Terminal(tmp_path)
    yield found
    found.close()


def pids_of(program: str, storeprof: bool = False) -> list[int]:
    """Processes with these words in their command line, storeprof's own left out, or only those."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if program in line and ("storeprof top" in line or "-m storeprof" in line) == storeprof:
                found.append(int(entry.name))
    return found


def test_a_started_program_is_watched_sorted_narrowed_saved_and_ended(terminal: Terminal, tmp_path: Path) -> None:
    """Operations, waits, functions on one screen; pause, sort, drill in, save; a clean terminal in the end."""
    program = tmp_path / "watched.py"
    program.write_text((PROGRAMS / "exported.py").read_text(encoding="utf-8"), encoding="utf-8")
    terminal.run(*STOREPROF, "top", "--", sys.executable, program)
    screen = terminal.wait_for(lambda text: bool(re.search(r"put +\d+ +[\d.]+ ms", text)) and "L lock" in text)
    for words in ("CPU", "memory", "operation", "per second", "P50", "P99", "thread", "now", "at", "own CPU", "quit"):
        assert words in screen
    assert re.search(r"watched\.put:\d+", screen)
    assert max(map(len, screen.splitlines())) <= 80

    terminal.keys("Space")
    terminal.wait_for("paused")
    terminal.keys("Space")
    terminal.wait_for(lambda text: "paused" not in text)
    terminal.keys("s")
    terminal.wait_for("threads by waits")

    terminal.keys("BTab")
    terminal.keys("Enter")
    terminal.wait_for("only put: ")
    terminal.keys("Escape")
    terminal.wait_for(lambda text: "only put" not in text)

    terminal.keys("r")
    terminal.wait_for("recording to")
    terminal.wait_for(lambda _: any(tmp_path.glob("storeprof-runs/*/recording.json")))
    terminal.keys("q")
    terminal.wait_for("recording: storeprof-runs/", timeout_s=60)
    terminal.keys("echo the shell is $((40 + 2))", "Enter")
    terminal.wait_for("the shell is 42")
    assert terminal.flag("alternate_on") == "0"
    assert terminal.flag("mouse_any_flag") == "0"
    assert terminal.flag("cursor_flag") == "1"
    assert pids_of(str(program)) == []
    [folder] = (tmp_path / "storeprof-runs").iterdir()
    assert storeprof.open(folder).meta["attached_pid"]


def test_an_attached_program_is_left_running(terminal: Terminal) -> None:
    """`--pid` watches without touching; after Ctrl-C the terminal is clean and the program goes on."""
    with subprocess.Popen(PROGRAM, env={**os.environ, "RUN_SECONDS": "60"}) as program:
        terminal.run(*STOREPROF, "top", "--pid", str(program.pid))
        terminal.wait_for("exported.put")
        terminal.keys("C-c")
        terminal.wait_for(lambda text: "own CPU" not in text)
        assert terminal.flag("alternate_on") == "0"
        assert program.poll() is None
        program.kill()


def test_the_end_of_a_program_is_said_and_its_last_figures_stay(terminal: Terminal, tmp_path: Path) -> None:
    """A program that ends leaves its figures on the screen, of whatever size; a SIGTERM leaves the terminal clean."""
    done = tmp_path / "done"
    code = f"import pathlib, time\nwhile not pathlib.Path({str(done)!r}).exists(): sum(range(20000))"
    terminal.run(*STOREPROF, "top", "--", sys.executable, "-c", code)
    terminal.wait_for("<module>")
    done.touch()
    screen = terminal.wait_for(" ended ")
    assert "own CPU" in screen
    terminal.resize(50, 15)
    terminal.wait_for(lambda text: "own CPU" in text and max(map(len, text.splitlines())) <= 50)
    [view] = pids_of(str(done), storeprof=True)
    os.kill(view, signal.SIGTERM)
    terminal.wait_for(lambda text: "own CPU" not in text)
    assert terminal.flag("alternate_on") == "0"
    assert terminal.flag("cursor_flag") == "1"


def test_without_a_terminal_or_a_program_it_says_so_in_one_line() -> None:
    """A pipe, no program, and a program that isn't there: one line each, no traceback."""
    for arguments, words in (
        (("--pid", str(os.getpid())), "terminal"),
        ((), "name one program"),
        (("--name", "no-such-program"), "no process named"),
    ):
        done = run_storeprof("top", *arguments)
        assert done.status == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_what_cannot_be_watched_is_said_on_a_clean_terminal(terminal: Terminal) -> None:
    """A pid that isn't there and a command that isn't found leave one line and the shell."""
    terminal.run(*STOREPROF, "top", "--pid", "999999999")
    terminal.wait_for("no process with pid 999999999")
    terminal.run(*STOREPROF, "top", "--", "no-such-command")
    terminal.wait_for("command not found: 'no-such-command'")
    assert "Traceback" not in terminal.screen()
