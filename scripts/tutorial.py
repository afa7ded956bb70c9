"""Runs the commands of docs/guide/from-finding-to-proof.md and puts what they print into the page.

    .venv/bin/python scripts/tutorial.py [PREFIX...]     about four minutes; PREFIX stands before each storeprof

In a clone of this repository at HEAD, with the extensions of this one. Blocks of the page that begin with `$ ` are
typed line by line, in order; what a block printed replaces what stood there. Blocks that begin with `git ` are run and
left as they are. `main` is a branch of the clone, at HEAD.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guide" / "from-finding-to-proof.md"
WIDTH = 110
BLOCK = re.compile(r"^```\n((?:\$|git) .*?)^```$", re.M | re.S)


def clone(place: Path) -> None:
    """A repository with the branch `main`, the rules of the page in it, and the extensions that were built here."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(place)], check=True)
    for setting in (("checkout", "-q", "-B", "main"), ("config", "user.name", "t"), ("config", "user.email", "t@t.t")):
        subprocess.run(["git", *setting], cwd=place, check=True)
    rules = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    with open(place / "pyproject.toml", "a", encoding="utf-8") as file:
        file.write("\n" + rules)
    subprocess.run(["git", "commit", "-qam", "The rules of a gate"], cwd=place, check=True)
    (place / ".git" / "info" / "exclude").write_text("*.so\n", encoding="utf-8")
    for built in (ROOT / "src").rglob("*.so"):
        shutil.copy(built, place / built.relative_to(ROOT))


def typed(line: str, place: Path, prefix: list[str]) -> str:
    """What a line prints, both streams, lines no longer than WIDTH."""
    command = shlex.join([*prefix, sys.executable, "-m", "storeprof"])
    done = subprocess.run(
        ["bash", "-c", f'storeprof() {{ {command} "$@"; }}\n{line}'],
        cwd=place, env={**os.environ, "PYTHONPATH": str(place / "src")}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    text = done.stdout.replace(f"{place}/", "").replace(str(ROOT), ".")
    return "".join(f"{_narrow(one.rstrip())}\n" for one in text.splitlines())


def _narrow(line: str) -> str:
    if len(line) <= WIDTH:
        return line
    return textwrap.fill(line, WIDTH, replace_whitespace=False, subsequent_indent="  ")


def main() -> None:
    """Run all of it and rewrite the page."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "storeprof"
        clone(place)

        def run(found: re.Match[str]) -> str:
            lines = found[1].splitlines()
            if not lines[0].startswith("$ "):
                print(typed("set -e\n" + "\n".join(lines), place, sys.argv[1:]), end="", flush=True)
                return found[0]
            shown = ""
            for line in (one for one in lines if one.startswith("$ ")):
                said = line + "\n" + typed(line[2:], place, sys.argv[1:])
                print(said, end="", flush=True)
                shown += said
            return f"```\n{shown}```"

        written = BLOCK.sub(run, PAGE.read_text(encoding="utf-8"))
        PAGE.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
