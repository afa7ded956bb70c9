"""A copy of what the strategy's workflow touches, in which a test types its commands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def make_workshop(folder: Path) -> Path:
    """The parts of the project that the workflow needs, with this environment's storeprof in its .venv."""
    for part in ("scripts", "examples", "include"):
        shutil.copytree(ROOT / part, folder / part)
    (folder / "Makefile").write_text("setup:\n", encoding="utf-8")
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("storeprof", "python"):
        file = folder / ".venv" / "bin" / name
        module = " -m storeprof" if name == "storeprof" else ""
        file.write_text(f'#!/bin/sh\nexec {sys.executable}{module} "$@"\n', encoding="utf-8")
        file.chmod(0o755)
    return folder


def typed(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """What a person types, in a shell."""
    argv = ["bash", "-c", line]
    return subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
