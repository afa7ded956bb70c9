"""The tutorial can be repeated: its patch applies, its commands are commands, and its outputs are those of them."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from storeprof.cli.main import build_parser
from storeprof.compare.gate_rules import read_rules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "from-finding-to-proof.md").read_text(encoding="utf-8")


def test_the_slow_twin_of_the_tutorial_applies() -> None:
    """The patch that makes the slow version still fits the engine."""
    patch = "examples/tutorial/check_at_each_read.patch"
    done = subprocess.run(["git", "apply", "--check", patch], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_gate_of_the_tutorial_can_be_read(tmp_path: Path) -> None:
    """The rules that the page shows are rules."""
    path = tmp_path / "pyproject.toml"
    path.write_text(PAGE.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    assert len(read_rules(path).rules) == 4


def test_the_commands_of_the_tutorial_are_commands() -> None:
    """Each line that is typed has options that exist; scripts/tutorial.py runs them all and renews their outputs."""
    typed = [line.split(";")[0] for line in re.findall(r"^(?:\$ )?(storeprof .*)$", PAGE, re.M)]
    assert len(typed) == 6
    for line in typed:
        options, unknown = build_parser().parse_known_args(shlex.split(line)[1:])
        assert unknown == [], line
        assert options.run


def test_the_outputs_of_the_tutorial_say_what_the_page_says() -> None:
    """A finding, a proof, an explanation with its rest, a promise beside what came true, and both ends of the gate."""
    for words in ("BOTTLENECK", "IMPROVED", "REGRESSED", "passed"):
        assert re.search(rf"^{words} ", PAGE, re.M), words
    for words in ("everything else", "came true:", "fsyncs_per_operation"):
        assert words in PAGE, words
