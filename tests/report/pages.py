"""Pages of reports: written by the command line, opened in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from browser import Opened, open_file
from recordings import storeprof

LOADED = ".flame canvas"


def written(path: Path, recording: Path, *options: str | Path) -> Path:
    """The page of a recording, made by the command line."""
    done = storeprof("report", recording, "--html", path, *options)
    assert done.status == 0, done.stderr
    return path


def loaded(browser: Browser, path: Path, dark: bool = False) -> Opened:
    """The page once it has unpacked its data."""
    opened = open_file(browser, path, dark)
    opened.page.wait_for_selector(LOADED)
    return opened
