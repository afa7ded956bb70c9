"""The page in a real Chromium, as a person uses it: read, click, zoom, search, select a span, compare, by keyboard."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pages import LOADED, loaded, written
from playwright.sync_api import Browser, Page, expect

from views.made_up import HOSTILE


def busy(page: Page) -> str:
    """Busy time of what is selected, as the page says it."""
    return page.locator(".selection .muted").inner_text()


def click_frame(page: Page, row: int, at: float = 0.3) -> None:
    """Click a frame of the flame graph by its row, at a part of the width."""
    canvas = page.locator(LOADED)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * at, "y": row * 20 + 10})


def drag(page: Page, of: str, begin: float, end: float) -> None:
    """Drag over a chart, from one part of its width to another."""
    area = page.locator(of).first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * begin, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (begin + end) / 2, middle)
    page.mouse.move(box["x"] + box["width"] * end, middle)
    page.mouse.up()


def only(page: Page, begin: float, end: float) -> None:
    """Select a span alone, once the charts of what was selected before are gone."""
    page.keyboard.press("Escape")
    expect(page.locator(".selection")).to_have_count(0)
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    )
    drag(page, "#time .u-over", begin, end)
    expect(page.locator(".selection")).to_have_count(1)


def tail_shares(page: Page) -> dict[str, int]:
    """Percent of P99 - P50 of Runs.read by component, as the page says it."""
    found, operation = {}, ""
    for row in page.locator(".tails tbody tr").all():
        operation = row.locator("td").first.inner_text().strip() or operation
        said = re.search(r"(sleeping|on CPU|garbage collection) (-?[\d.]+) %", row.inner_text())
        if said and operation == "Runs.read":
            found[said[1]] = round(float(said[2]))
    return found


def test_the_page_needs_no_network_and_complains_about_nothing(browser: Browser, engine_page: Path) -> None:
    """One file is asked for, and the console stays silent."""
    opened = loaded(browser, engine_page)
    assert [url for url in opened.requests if not url.startswith(("data:", "blob:"))] == [engine_page.as_uri()]
    assert opened.complaints == []


def test_it_shows_every_part_of_a_real_recording(browser: Browser, engine_page: Path) -> None:
    """Verdict, findings with place and evidence, charts, operations, threads, memory, coverage."""
    page = loaded(browser, engine_page).page
    expect(page.locator("h1")).not_to_be_empty()
    titles = page.locator(".panel > h2").all_inner_texts()
    assert titles == [
        "Findings", "Busy time over the run", "Flame graph", "Operations", "Latency over time",
        "What threads waited for", "Locks", "Files and the disk", "Memory", "What was looked at, and what was not",
    ]  # fmt: skip
    for chart in ("#time", "#operations", "#latency", "#memory"):
        expect(page.locator(f"{chart} .uplot").first).to_be_visible()
    operations = page.locator("#operations")  # a waiter of the GIL may have the same name
    expect(operations.get_by_role("button", name="StorageImpl.write", exact=True)).to_be_visible()
    assert page.locator(".lane").count() >= 3
    assert page.locator(".coverage tbody tr").count() >= 14


def test_zooming_in_and_out_of_the_flame_graph(browser: Browser, made_up_page: Path) -> None:
    """A click zooms, the way names where one is, Backspace and the way lead back."""
    page = loaded(browser, made_up_page).page
    way = page.locator(".way button")
    assert way.all_inner_texts() == ["all"]
    click_frame(page, 2)
    assert way.all_inner_texts() == ["all", "main", "Store.put"]
    page.locator(LOADED).press("Backspace")
    assert way.all_inner_texts() == ["all", "main"]
    way.first.click()
    assert way.all_inner_texts() == ["all"]


def test_the_keyboard_walks_the_flame_graph(browser: Browser, made_up_page: Path) -> None:
    """Arrow keys move from frame to frame, each is spoken, Enter zooms."""
    page = loaded(browser, made_up_page).page
    canvas = page.locator(LOADED)
    canvas.focus()
    canvas.press("ArrowDown")
    canvas.press("ArrowDown")
    expect(page.locator(".flame .spoken")).to_have_text(re.compile(r"Store\.put: 4 s, 80 %"))
    canvas.press("ArrowRight")
    expect(page.locator(".flame .spoken")).to_contain_text("window.hacked")
    canvas.press("ArrowLeft")
    canvas.press("Enter")
    assert page.locator(".way button").all_inner_texts() == ["all", "main", "Store.put"]


def test_search_counts_what_it_finds(browser: Browser, made_up_page: Path) -> None:
    """`checksum` is 2 of 5 busy seconds; Escape clears the search."""
    page = loaded(browser, made_up_page).page
    page.keyboard.press("/")
    page.keyboard.type("CHECKSUM")
    expect(page.locator(".search output")).to_have_text("1 frames, 40 %")
    page.keyboard.press("Escape")
    expect(page.locator(".search output")).to_have_text("")


def test_what_the_flame_graph_counts_can_be_chosen(browser: Browser, made_up_page: Path) -> None:
    """On the CPU, off it, by one reason, and memory that stayed; inverted the leaf comes first."""
    page = loaded(browser, made_up_page).page
    first = page.locator(".functions tbody tr").first
    page.get_by_role("button", name="On CPU").click()
    expect(first).to_contain_text("checksum")
    expect(first).to_contain_text("2 s")
    page.get_by_label("Off CPU, by reason").select_option("disk")
    expect(first).to_contain_text("[disk: fsync]")
    expect(first).to_contain_text("100 %")
    page.get_by_role("button", name="Invert").click()
    click_frame(page, 2)
    assert page.locator(".way button").all_inner_texts() == ["all", "[disk: fsync]", "Wal.sync"]
    page.get_by_role("button", name="Memory that stayed").click()
    expect(first).to_contain_text("checksum")
    expect(first).to_contain_text("4.19 MB")


def test_a_span_narrows_the_whole_page(browser: Browser, made_up_page: Path) -> None:
    """Half of the run has half of the busy time, of the operations' and of the memory; Escape brings it back."""
    page = loaded(browser, made_up_page).page
    operation, first = page.locator("#operations tbody tr").first, page.locator(".functions tbody tr").first
    expect(operation).to_contain_text("4 s")
    drag(page, "#time .u-over", 0.5, 0.995)
    expect(page.locator(".selection")).to_contain_text("2.0 – 4.0 s")
    assert busy(page) == "2.5 s of busy time"
    expect(operation).to_contain_text(re.compile(r"\b(1\.99|2|2\.01) s"))
    expect(first).to_contain_text(re.compile(r"\b(99\d ms|1 s|1\.01 s)"))
    expect(page.locator(".locks")).to_contain_text(re.compile(r"(49|50)\d ms waited"))
    expect(page.locator("#files table")).to_contain_text(re.compile(r"(49|50)\d ms"))
    expect(page.locator("#memory h3").first).to_contain_text("+1 MB in this span")
    for panel in ("#findings", "#coverage"):
        expect(page.locator(f"{panel} > h2 .scope")).to_have_text("of the whole recording")
    page.get_by_role("button", name="Memory that stayed").click()
    assert page.locator(".functions tbody tr").count() == 1
    page.keyboard.press("Escape")
    expect(page.locator(".selection")).to_have_count(0)
    expect(page.locator(".scope")).to_have_count(0)
    assert page.locator(".functions tbody tr").count() == 2


def test_a_span_has_its_own_reasons_for_slow_operations(browser: Browser, halves: Path) -> None:
    """The gap between P99 and P50 divides anew: the first half's slow reads sleep, those of the second compute."""
    page = loaded(browser, written(halves.parent / "halves.html", halves)).page
    first, whole = page.locator(".tails tbody tr", has_text="Runs.read").first, tail_shares(page)
    expect(page.locator(".tails th", has_text="meanwhile")).to_be_visible()
    only(page, 0.03, 0.45)
    expect(first).to_contain_text("sleeping")
    expect(first).to_contain_text("Paused.compact")
    assert tail_shares(page)["sleeping"] > 75
    only(page, 0.55, 0.97)
    expect(first).to_contain_text("on CPU")
    assert tail_shares(page)["on CPU"] > 75
    only(page, 0.0, 0.97)  # nearly all of it: what the analysis says
    for component, share in tail_shares(page).items():
        assert abs(share - whole.get(component, 0)) < 15, component
    only(page, 0.5, 0.51)
    expect(first).to_contain_text("no latency was read in the selection")
    only(page, 0.4, 0.5)
    expect(first).to_contain_text(re.compile(r"are needed|P99 needs 1,000 operations|sleeping"))


def test_an_operation_and_a_thread_narrow_the_page(browser: Browser, made_up_page: Path) -> None:
    """What is chosen is marked, and can be taken back one by one."""
    page = loaded(browser, made_up_page).page
    page.locator("#operations").get_by_role("button", name="put", exact=True).click()
    assert busy(page) == "4 s of busy time"
    page.locator(".lane").get_by_role("button", name="grower 11").click()
    assert busy(page) == "0 s of busy time"
    page.get_by_role("button", name="Clear: put").click()
    assert busy(page) == "1 s of busy time"
    page.get_by_label("Thread that the page is narrowed to").select_option("writer 10 (main)")
    assert busy(page) == "4 s of busy time"
    page.get_by_label("Thread that the page is narrowed to").select_option("grower 11")
    expect(page.locator(".functions tbody")).not_to_contain_text("checksum")


def test_memory_is_narrowed_to_an_operation_and_a_thread(browser: Browser, made_up_page: Path) -> None:
    """What `put` allocated, what thread 11 allocated; panels that a thread does not narrow say so."""
    page = loaded(browser, made_up_page).page
    rows = page.locator(".functions tbody tr")
    page.get_by_role("button", name="Memory that stayed").click()
    expect(rows).to_have_count(2)
    page.get_by_label("Operation that the page is narrowed to").select_option("put")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("4.19 MB")
    expect(page.locator("#memory > h2 .scope")).to_have_text("of all operations")
    expect(page.locator("#latency > h2 .scope")).to_have_count(0)
    page.get_by_role("button", name="Clear: put").click()
    page.get_by_label("Thread that the page is narrowed to").select_option("grower 11")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("2.1 MB")
    expect(page.locator("#latency > h2 .scope")).to_have_text("of all threads")
    expect(page.locator("#operations > h2 .scope")).to_have_text("rates and latencies: of all threads")
    assert page.locator(".figures").inner_text().count("–") == 4  # throughput and percentiles know no thread


def test_a_selection_without_frames_and_back(browser: Browser, made_up_page: Path) -> None:
    """A flame graph that gives way to a sentence, and comes back, raises nothing."""
    opened = loaded(browser, made_up_page)
    page = opened.page
    page.locator(".lane").get_by_role("button", name="grower 11").click()
    page.locator("#operations").get_by_role("button", name="put", exact=True).click()
    expect(page.locator("#flame .nothing")).to_have_text("Nothing of this kind falls into what is selected.")
    page.set_viewport_size({"width": 700, "height": 900})
    page.keyboard.press("Escape")
    expect(page.locator(LOADED)).to_be_visible()
    assert opened.complaints == []


def test_a_finding_leads_into_the_flame_graph(browser: Browser, made_up_page: Path) -> None:
    """Its function is searched for, among what the finding counts."""
    page = loaded(browser, made_up_page).page
    finding = page.locator(".finding", has_text="cpu-hotspot").first
    if finding.get_attribute("open") is None:
        finding.locator("summary").click()
    finding.get_by_role("button", name="Show in the flame graph").click()
    expect(page.get_by_role("button", name="On CPU")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".search output")).not_to_have_text("")


def test_names_with_markup_are_harmless(browser: Browser, made_up_page: Path) -> None:
    """A function, a lock, a process and an argument named like a script are shown as they are; none runs."""
    opened = loaded(browser, made_up_page)
    page = opened.page
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    expect(page.locator(".locks h3")).to_have_text(HOSTILE)
    expect(page.locator(".command")).to_have_text(f"engine {HOSTILE}")
    assert opened.complaints == []


def test_light_and_dark_follow_the_system_and_the_reader(browser: Browser, made_up_page: Path) -> None:
    """The system decides until a key does."""
    page = loaded(browser, made_up_page, dark=True).page
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(13, 17, 23)"
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert page.evaluate(background) == "rgb(244, 245, 248)"


def test_the_help_lists_the_keys(browser: Browser, made_up_page: Path) -> None:
    """`?` opens it, Escape closes it."""
    page = loaded(browser, made_up_page).page
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_two_recordings_are_compared_in_both_directions(browser: Browser, made_up: Path, engine: Path) -> None:
    """Figures, findings and bars side by side; widths of now or of before."""
    path = written(engine.parent / "difference.html", made_up, "--against", engine)
    opened = loaded(browser, path)
    page = opened.page
    changes = page.locator("#changes")
    expect(changes).to_contain_text("What changed")
    expect(changes.locator("tr", has_text="StorageImpl").first).to_contain_text("gone")
    expect(changes.locator("tr", has_text="checksum").first).to_contain_text("new")
    bars = changes.locator(".pair")
    assert bars.count() >= 3
    page.keyboard.press("/")
    page.keyboard.type("checksum")
    expect(page.locator(".search output")).to_contain_text("1 frames")
    page.get_by_role("button", name="Widths before").click()
    expect(page.locator(".search output")).to_contain_text("0 frames")
    assert opened.complaints == []


def test_several_runs_are_chosen_from(browser: Browser, made_up: Path, tmp_path: Path) -> None:
    """A series of runs has one page, with the findings of all and the pictures of each."""
    (tmp_path / "run-1").symlink_to(made_up)
    (tmp_path / "run-2").symlink_to(made_up)
    runs = [{"folder": name, "workload": None} for name in ("run-1", "run-2")]
    (tmp_path / "runs.json").write_text(json.dumps({"format": 1, "runs": runs, "asked": 2}))
    page = loaded(browser, written(tmp_path / "runs.html", tmp_path)).page
    page.get_by_label("Run that is shown").select_option("run-2")
    expect(page.locator(LOADED)).to_be_visible()
    expect(page.locator(".finding").first).to_contain_text("in 2 of 2")
