"""Pictures of reports for the documentation, taken in a real Chromium from a real recording.

    .venv/bin/python scripts/page_pictures.py RECORDING [--against BASELINE] [--top] [--out docs/pictures]

Writes terminal.png (the report in colour), page-verdict.png, page-flame.png and page-latency.png, with --against
page-difference.png, and with --top top.png: the live view over the embedded engine, in a terminal of 80 x 24.
"""

from __future__ import annotations

import argparse
import io
import os
import pty
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import Browser  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.terminal_theme import DIMMED_MONOKAI  # noqa: E402
from rich.text import Text  # noqa: E402

from browser import chromium, open_file  # noqa: E402

SECTIONS = {"page-flame": "#flame", "page-latency": "#latency"}
ENGINE = "-m storeprof.workload.run tsdb --workload mixed --duration 60 --threads 2 --seed 1"
WATCHED_S = 25
INKS = DIMMED_MONOKAI  # of terminals: dark, and told apart without green and red


def written(folder: Path, recording: Path, *options: str | Path) -> Path:
    """The page of a recording."""
    path = folder / "page.html"
    command = [sys.executable, "-m", "storeprof", "report", recording, "--html", path, *options]
    subprocess.run([str(one) for one in command], check=True)
    return path


def shoot(browser: Browser, page_file: Path, out: Path, sections: dict[str, str], *, top: str | None) -> None:
    """Take the top of the page, and sections of it."""
    page = open_file(browser, page_file).page
    page.wait_for_selector(".flame canvas")
    page.wait_for_timeout(400)
    if top:
        page.screenshot(path=out / f"{top}.png")
    for name, selector in sections.items():
        page.locator(selector).screenshot(path=out / f"{name}.png")
    page.close()


def shoot_terminal(browser: Browser, text: Text, out: Path) -> None:
    """Take what stood on a terminal, in its colours."""
    console = Console(width=110, file=io.StringIO(), record=True, force_terminal=True, color_system="truecolor")
    console.print(text, end="", no_wrap=True, crop=False)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "terminal.html"
        file.write_text(console.export_html(inline_styles=True, theme=INKS), encoding="utf-8")
        page = open_file(browser, file).page
        page.set_viewport_size({"width": 800, "height": 400})
        page.add_style_tag(content="body { margin: 14px; } pre { margin: 0; line-height: 1.35; font-size: 14px; }")
        page.screenshot(path=out, full_page=True)
        page.close()


def report_in_colour(recording: Path) -> Text:
    """The report as a terminal shows it."""
    command = [sys.executable, "-m", "storeprof", "report", str(recording)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "50"}
    text = io.BytesIO()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    try:
        while piece := os.read(terminal, 65536):
            text.write(piece)
    except OSError:  # the program has ended, and with it the terminal's other side
        pass
    os.waitpid(pid, 0)
    return Text.from_ansi(text.getvalue().decode().replace("\r", ""))


def live_view() -> Text:
    """`storeprof top` over the embedded engine, once it has watched for a while."""
    with tempfile.TemporaryDirectory() as scratch:
        tmux = ["tmux", "-L", f"storeprof-pictures-{os.getpid()}", "-f", "/dev/null"]
        command = f"{sys.executable} -m storeprof top -- {sys.executable} {ENGINE} --dir {scratch}/data"
        environment = {**os.environ, "TERM": "xterm-256color"}
        new = ["new-session", "-d", "-x", "80", "-y", "24", "-c", scratch, f"exec {command}"]
        subprocess.run([*tmux, *new], check=True, env=environment)
        try:
            time.sleep(WATCHED_S)
            screen = subprocess.run([*tmux, "capture-pane", "-p", "-e"], check=True, capture_output=True, text=True)
        finally:
            subprocess.run([*tmux, "send-keys", "q"], check=False)
            time.sleep(6)
            subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
        return Text.from_ansi(screen.stdout)


def main() -> None:
    """Parse, make the pages, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, help="folder of a recording")
    parser.add_argument("--against", type=Path, help="folder of an earlier one")
    parser.add_argument("--top", action="store_true", help="take the live view, too")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures", help="folder of the pictures")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        path = written(Path(scratch), given.recording)
        shoot(browser, path, given.out, SECTIONS, top="page-verdict")
        shoot_terminal(browser, report_in_colour(given.recording), given.out / "terminal.png")
        if given.top:
            shoot_terminal(browser, live_view(), given.out / "top.png")
        if given.against:
            path = written(Path(scratch), given.recording, "--against", given.against)
            shoot(browser, path, given.out, {"page-difference": "#flame"}, top=None)


if __name__ == "__main__":
    main()
