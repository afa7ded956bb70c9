"""The page as a file: whole in itself, small, quickly painted, and built from the sources that are committed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from analysis_speed import make_recording
from playwright.sync_api import Browser

from browser import open_file
from recordings import storeprof
from storeprof.report.packing import packed
from storeprof.views.view import View

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "src" / "storeprof" / "report" / "page"
TEN_MINUTES = 600
LOOKS = 500_000  # and samples; the page keeps at most 300,000 rows of them


@pytest.fixture(scope="module")
def ten_minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a made-up recording: ten minutes, 50 threads, 2,000 stacks, more looks than the page has room for."""
    folder = tmp_path_factory.mktemp("ten-minutes")
    make_recording(folder / "recording", LOOKS, TEN_MINUTES)
    done = storeprof("report", folder / "recording", "--html", folder / "page.html")
    assert done.status == 0, done.stderr
    assert done.stdout == ""
    return folder / "page.html"


def test_ten_minutes_are_under_three_megabytes(ten_minutes: Path) -> None:
    """The whole file, script included."""
    assert ten_minutes.stat().st_size < 3_000_000


def test_it_is_painted_within_a_second(browser: Browser, ten_minutes: Path) -> None:
    """First contentful paint of the ten-minute page; the best of three, for the machine may be busy."""
    paints = []
    for _ in range(3):
        page = open_file(browser, ten_minutes).page
        page.wait_for_selector(".flame canvas")
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        page.close()
        if paints[-1] < 1000:
            break
    assert min(paints) < 1000


def test_nothing_is_fetched_and_only_our_script_may_run(ten_minutes: Path) -> None:
    """No address in a tag, and a policy that names the script by its digest."""
    text = ten_minutes.read_text(encoding="utf-8")
    assert not re.search(r"<(link|img|iframe|script)[^>]*\s(src|href)=", text)
    script = text.rsplit("<script>", 1)[1].split("</script>", 1)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'" in text


def test_columns_survive_packing() -> None:
    """Whole numbers in the narrowest type, others as they are, every column at a multiple of eight."""
    columns = {
        "a": np.array([0, 255]),
        "b": np.array([-1, 70_000]),
        "c": np.array([0.5, 2.0]),
        "d": np.array([], dtype=float),
    }
    text = packed(View({"name": "x"}, {"one": {key: columns[key] for key in "abc"}, "none": {"d": columns["d"]}}))
    whole = zlib.decompress(base64.b64decode(text), -15)
    (length,) = struct.unpack_from("<I", whole)
    header = json.loads(whole[4 : 4 + length])
    start = -(-(4 + length) // 8) * 8
    table = header["tables"]["one"]
    assert header["name"] == "x"
    assert (table["rows"], header["tables"]["none"]["rows"]) == (2, 0)
    for name, kind in (("a", "u1"), ("b", "i4"), ("c", "f8")):
        described = table["columns"][name]
        assert described["type"] == kind
        assert described["at"] % 8 == 0
        assert np.frombuffer(whole, "<" + kind, 2, start + described["at"]).tolist() == columns[name].tolist()


def test_the_committed_bundle_is_what_the_sources_build(tmp_path: Path) -> None:
    """`make page` would change nothing."""
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=ROOT / "web", check=True, timeout=120)
    for name in ("page.js", "page.css", "LICENSES.txt"):
        assert (tmp_path / name).read_bytes() == (BUILT / name).read_bytes(), f"{name} is stale: run `make page`"


def test_the_sources_of_the_page_are_well_typed() -> None:
    """`tsc` has nothing to say."""
    done = subprocess.run(
        ["npx", "--no-install", "tsc", "--noEmit"],
        cwd=ROOT / "web",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_bundled_package_has_its_licence() -> None:
    """What is bundled is named with the text of its licence."""
    text = (BUILT / "LICENSES.txt").read_text(encoding="utf-8")
    wanted = json.loads((ROOT / "web" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for name, version in wanted.items():
        assert f"{name} {version} (MIT)" in text
    assert text.count("Permission is hereby granted") >= len(wanted)


@pytest.mark.parametrize("where", ["no/such/folder/page.html", "."])
def test_a_file_that_cannot_be_written_is_said_before_the_analysis(tmp_path: Path, where: str) -> None:
    """One line, status 2."""
    done = storeprof("report", tmp_path / "nothing", "--html", tmp_path / where)
    assert done.status == 2
    assert len(done.stderr.splitlines()) == 1
    assert "--html" in done.stderr


def test_without_html_the_difference_is_a_table(made_up: Path) -> None:
    """`report A --against B` prints figures and findings of both."""
    done = storeprof("report", made_up, "--against", made_up)
    assert done.status == 0, done.stderr
    assert "before" in done.stdout
    assert "throughput" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
