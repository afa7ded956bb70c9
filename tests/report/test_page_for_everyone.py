"""The page by keyboard, on small screens, in grey light and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import loaded
from playwright.sync_api import Browser, expect

FAINT = (Path(__file__).parent / "faint_text.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out(browser: Browser, engine_page: Path, dark: bool) -> None:
    """By computation, light and dark, with everything open and something selected (WCAG 2, AA)."""
    page = loaded(browser, engine_page, dark).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.locator("#operations").get_by_role("button", name="StorageImpl.write", exact=True).click()
    assert page.evaluate(FAINT) == []


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_nothing_is_wider_than_the_window(browser: Browser, engine_page: Path, width: int) -> None:
    """From a telephone's to a large screen's: what is wide scrolls by itself."""
    page = loaded(browser, engine_page).page
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function("[...document.querySelectorAll('.uplot')].every((one) => one.clientWidth <= innerWidth)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_tab_reaches_every_control_and_shows_where_it_is(browser: Browser, made_up_page: Path) -> None:
    """Links, buttons, fields, charts and the flame graph, each with an outline."""
    page = loaded(browser, made_up_page).page
    wanted = page.locator("a, button:enabled, select, input, summary, [tabindex='0']")
    count = wanted.evaluate_all("(all) => all.filter((one) => one.checkVisibility()).length")
    reached = set()
    for _ in range(count):
        page.keyboard.press("Tab")
        number, outline = page.evaluate(
            "[[...document.querySelectorAll('*')].indexOf(document.activeElement), "
            "getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert outline != "none"
        reached.add(number)
    assert len(reached) == count


def test_it_is_printed_light_and_open(browser: Browser, made_up_page: Path) -> None:
    """A dark page is printed on white with every finding unfolded, and is dark again afterwards."""
    page = loaded(browser, made_up_page, dark=True).page
    folded = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(folded)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate(folded) == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(folded) == before
