"""Programs that the tests of the collectors really run, and how they wait for them."""

import atexit
import functools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parents[1] / "programs"
DATA = Path(__file__).parents[1] / "data"
SOURCES = Path(__file__).parents[2] / "src" / "storeprof"


@functools.cache
def public_folder() -> Path:
    """A folder that other users may enter, which pytest's own are not; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="storeprof-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    return folder


@functools.cache
def build(name: str) -> Path:
    """Compile tests/programs/NAME.cpp once, with debug information, and return the binary."""
    binary = public_folder() / name
    source = PROGRAMS / f"{name}.cpp"
    subprocess.run(["g++", "-O2", "-g", "-pthread", "-o", binary, source], check=True)
    return binary


def driver(mode: str, folder: Path, *command: object) -> list[str]:
    """The command line of a small stand-in for `storeprof record`, in an interpreter of its own."""
    script = PROGRAMS / "collect_record_driver.py"
    return [sys.executable, str(script), mode, str(folder), "--", *map(str, command)]


def outcome(folder: Path) -> dict[str, Any]:
    """What the driver learned, as soon as it is written."""
    assert eventually((folder / "outcome.json").exists)
    found: dict[str, Any] = json.loads((folder / "outcome.json").read_text())
    return found


def eventually(condition: Callable[[], bool], deadline_s: float = 20.0) -> bool:
    """Poll until the condition holds; False when the deadline is over first."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if condition():
            return True
    return condition()


def is_gone(pid: int) -> bool:
    """Whether a process has ended (a zombie that nobody collected yet has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
