"""Makes the helpers beside the tests importable, and the judge of planted programs; the browser, which is one;
and a second measurement for judgements that are wrong once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from playwright.sync_api import Browser

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "benchmarks")]


# The folder whose tests judge what a recording says: see docs/decisions/0061-wrong-twice.md.
MEASURED = "truth"
wrong_once: set[str] = set()


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """A measured judgement that fails is measured once more, after all others; a test that is wrong twice fails."""
    if item.path.parent.name != MEASURED:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if item.nodeid not in wrong_once and any(wrong_judgement(one) for one in reports):
        wrong_once.add(item.nodeid)
        print(f"\nto be measured once more: {item.nodeid}")
        item._initrequest()  # type: ignore[attr-defined]
        item.session.items.append(item)
        reports = []
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def wrong_judgement(report: pytest.TestReport) -> bool:
    """Whether an assertion of the test itself failed; not its setup, and no other exception."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return bool(report.when == "call" and report.failed and crash and crash.message.startswith(("assert", "Assertion")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a module's tests; ended with them, since playwright's event loop forbids any other meanwhile."""
    from browser import chromium

    with chromium() as running:
        yield running
