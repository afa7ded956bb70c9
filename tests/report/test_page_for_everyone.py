"""The page by keyboard, on small screens, in grey light and on paper."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import loaded
from playwright.sync_api import Browser, expect

CATEGORIES = Path(__file__).parents[2] / "web" / "src" / "categories.ts"
LEAST_APART = 13.0  # in CIELAB, where two patches beside each other differ visibly from 2 or so
# What eyes see that lack one kind of cones, in linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
EYES = {
    "all cones": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)
FAINT = (Path(__file__).parent / "faint_text.js").read_text(encoding="utf-8")


def seen(colour: str, eye: str) -> np.ndarray[Any, Any]:
    """A colour as an eye sees it, in CIELAB."""
    value = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    ratio = TO_XYZ @ np.clip(EYES[eye] @ linear, 0, 1) / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", EYES)
def test_kinds_of_time_are_told_apart_whichever_cones_an_eye_lacks(eye: str) -> None:
    """By computation, for every two of the eleven colours."""
    listed = re.findall(r'key: "(\w+)",.*colour: "(#\w+)"', CATEGORIES.read_text(encoding="utf-8"))
    assert len(listed) == 11
    for (one, first), (other, second) in combinations(listed, 2):
        assert np.linalg.norm(seen(first, eye) - seen(second, eye)) > LEAST_APART, (one, other)


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
