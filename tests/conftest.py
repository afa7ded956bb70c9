"""Makes the helpers beside the tests importable, and the judge of planted programs; and the browser, which is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "benchmarks")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a module's tests; ended with them, since playwright's event loop forbids any other meanwhile."""
    from browser import chromium

    with chromium() as running:
        yield running
