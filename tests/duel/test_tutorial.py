"""The tutorial can be repeated: its patch applies, and its gate is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from storeprof.compare.gate_rules import read_rules

ROOT = Path(__file__).parents[2]


def test_the_slow_twin_of_the_tutorial_applies() -> None:
    """The patch that makes the slow version still fits the engine."""
    patch = "examples/tutorial/check_at_each_read.patch"
    done = subprocess.run(["git", "apply", "--check", patch], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_gate_of_the_tutorial_can_be_read(tmp_path: Path) -> None:
    """The rules that the page shows are rules."""
    text = (ROOT / "docs" / "guide" / "from-finding-to-proof.md").read_text(encoding="utf-8")
    path = tmp_path / "pyproject.toml"
    path.write_text(text.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    assert len(read_rules(path).rules) == 3
