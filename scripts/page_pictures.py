"""Pictures of the HTML report for the documentation, taken in a real Chromium from a real recording.

    .venv/bin/python scripts/page_pictures.py RECORDING [--against BASELINE] [--out docs/pictures]

Writes page-verdict.png, page-flame.png, page-latency.png and page-threads.png (light), page-dark.png, and with
--against page-difference.png.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import Browser  # noqa: E402

from browser import chromium, open_file  # noqa: E402

SECTIONS = {"page-flame": "#flame", "page-latency": "#latency", "page-threads": "#threads"}


def written(folder: Path, recording: Path, *options: str | Path) -> Path:
    """The page of a recording."""
    path = folder / "page.html"
    command = [sys.executable, "-m", "storeprof", "report", recording, "--html", path, *options]
    subprocess.run([str(one) for one in command], check=True)
    return path


def shoot(
    browser: Browser, page_file: Path, out: Path, sections: dict[str, str], *, dark: bool, top: str | None
) -> None:
    """Take the top of the page, and sections of it."""
    page = open_file(browser, page_file, dark).page
    page.wait_for_selector(".flame canvas")
    page.wait_for_timeout(400)
    if top:
        page.screenshot(path=out / f"{top}.png")
    for name, selector in sections.items():
        page.locator(selector).screenshot(path=out / f"{name}.png")
    page.close()


def main() -> None:
    """Parse, make the pages, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, help="folder of a recording")
    parser.add_argument("--against", type=Path, help="folder of an earlier one")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures", help="folder of the pictures")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        path = written(Path(scratch), given.recording)
        shoot(browser, path, given.out, SECTIONS, dark=False, top="page-verdict")
        shoot(browser, path, given.out, {"page-dark": "#flame"}, dark=True, top=None)
        if given.against:
            path = written(Path(scratch), given.recording, "--against", given.against)
            shoot(browser, path, given.out, {"page-difference": "#flame"}, dark=False, top=None)


if __name__ == "__main__":
    main()
