"""Every export is opened by its real consumer, and says what the report says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent
from playwright.sync_api import Browser
from viewers import Errors, decoded_pprof, in_perfetto, in_speedscope, pprof

import storeprof
from recordings import storeprof as run_storeprof
from storeprof.analysis.accounting.charges import CATEGORIES
from storeprof.analysis.context import build_context
from storeprof.analysis.settings import Settings
from storeprof.cli.main import main
from storeprof.exports.busy_time import BusyTime
from storeprof.exports.pprof import pprof as write_pprof
from views.made_up import context as made_up
from views.made_up import make

MARKUP = "<img src=x onerror=alert(1)>;|`@all` *b* [l](x)"
BY_THREAD = """
    SELECT t.tid, sum(s.dur) FROM slice s JOIN thread_track k ON s.track_id = k.id JOIN thread t USING (utid)
    WHERE s.depth = 0 AND s.category <> 'operation' GROUP BY 1 ORDER BY 1
"""
WAITS = "SELECT name, sum(dur) FROM slice WHERE category = 'wait' GROUP BY 1"
OPERATIONS = "SELECT count(*), min(dur) FROM slice WHERE category = 'operation' AND name = 'put'"
MEMORY = "SELECT max(value) FROM counter"
LOST = "SELECT name, value FROM stats WHERE value > 0 AND severity IN ('error', 'data_loss')"


@pytest.fixture(scope="module")
def busy(recording: storeprof.Recording) -> BusyTime:
    """The accounting that exports draw."""
    return BusyTime(build_context(recording, Settings()))


def test_speedscope_opens_the_profile_of_every_thread(
    folder: Path, browser: Browser, errors: Errors, busy: BusyTime
) -> None:
    """speedscope shows each busy thread, functions with their time, and what was waited for."""
    text = in_speedscope(browser, folder / "run.speedscope.json", errors)
    assert f"(1/{len(busy.busy_threads())})" in text
    assert "exported.put" in text
    assert "[lock]" in text
    assert "<img src=x onerror=alert(1)>" in text


def test_collapsed_stacks_are_read_by_speedscope_too(folder: Path, browser: Browser, errors: Errors) -> None:
    """The format of flame graph tools: names may hold spaces and brackets, the count follows the last space."""
    text = in_speedscope(browser, folder / "run.collapsed", errors)
    assert "exported.put" in text
    assert "[lock]" in text


@pytest.mark.parametrize("file", ["run.pftrace", "run.trace.json"])
def test_perfetto_reads_slices_operations_and_memory(
    folder: Path, browser: Browser, errors: Errors, busy: BusyTime, file: str
) -> None:
    """Perfetto's trace processor finds each thread's busy time, its waits, operations and memory, and loses nothing."""
    found = in_perfetto(browser, folder / file, errors, BY_THREAD, WAITS, OPERATIONS, MEMORY, LOST)
    by_thread, waits, [[operations, shortest]], [[memory]], lost = found
    seconds = busy.context.by_thread.sum(axis=1)
    expected = {busy.threads[at].tid: seconds[at] for at in busy.busy_threads()}
    assert {tid: ns / 1e9 for tid, ns in by_thread} == pytest.approx(expected, rel=1e-3, abs=1e-3)
    share = dict(waits)["[lock]"] / 1e9 / sum(expected.values())
    assert share == pytest.approx(busy.context.recording.document["wall_time"]["lock"], abs=0.005)
    assert operations > 100
    assert shortest > 2_000_000
    assert memory > 1e6
    assert lost == []


def test_the_perfetto_package_reads_the_trace(folder: Path) -> None:
    """By Perfetto's own message definitions every slice that begins also ends, on its own track."""
    trace = Trace.FromString((folder / "run.pftrace").read_bytes())
    depth: dict[int, int] = {}
    for packet in trace.packet:
        event = packet.track_event
        step = {TrackEvent.TYPE_SLICE_BEGIN: 1, TrackEvent.TYPE_SLICE_END: -1}.get(event.type, 0)
        depth[event.track_uuid] = depth.get(event.track_uuid, 0) + step
        assert depth[event.track_uuid] >= 0
    assert set(depth.values()) == {0}


def test_pprof_reads_every_kind_of_time(folder: Path, recording: storeprof.Recording) -> None:
    """Google's pprof lists functions by wall time by default and by one kind of time where asked, with labels."""
    top = pprof("-top", folder / "run.pb.gz")
    assert "Type: wall" in top
    assert "exported.put" in top
    by_lock = pprof("-top", "-sample_index=lock", folder / "run.pb.gz")
    assert re.search(r"\d+s +\d+.\d+%.*exported\.put", by_lock)
    tags = pprof("-tags", folder / "run.pb.gz")
    assert " put" in tags
    assert " lock" in tags
    assert "exported.py:" in pprof("-top", "-lines", folder / "run.pb.gz")


def test_another_pprof_decoder_finds_the_same_sums(folder: Path, busy: BusyTime) -> None:
    """Wall time in pprof is the busy wall time of the report, and its kinds add up to it."""
    found = decoded_pprof(folder / "run.pb.gz")
    sums = found["sums"]
    assert sums["wall"] / 1e9 == pytest.approx(float(busy.context.by_category.sum()), rel=1e-5)
    assert sum(sums.values()) == 2 * sums["wall"]
    assert any(MARKUP in name for name in found["functions"])


def test_native_samples_carry_the_operation_whose_probe_their_caller_holds(tmp_path: Path) -> None:
    """perf's samples know no operation; pprof's label has the one of the page."""
    busy = BusyTime(made_up(make(tmp_path / "native", native=True)))
    (tmp_path / "run.pb.gz").write_bytes(write_pprof(busy))
    of_put = pprof("-top", "-tagfocus=operation=^put$", tmp_path / "run.pb.gz")
    assert "checksum" in of_put
    assert {name for *_, name, _ in busy.summed()} == {None, "put"}


def test_collapsed_stacks_add_up(folder: Path, busy: BusyTime) -> None:
    """Counts are microseconds of busy wall time; a semicolon in a name does not split it."""
    lines = (folder / "run.collapsed").read_text(encoding="utf-8").splitlines()
    total = sum(int(line.rpartition(" ")[2]) for line in lines)
    assert total / 1e6 == pytest.approx(float(busy.context.by_category.sum()), rel=1e-3)
    assert any(";exported.<img src=x onerror=alert(1)>:|" in line for line in lines)


def test_a_long_recording_is_drawn_in_as_many_samples_as_a_viewer_can_take(
    busy: BusyTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer samples than rows each thread keeps its time, and each kind of time its share."""
    monkeypatch.setattr("storeprof.exports.busy_time.MOST_SAMPLES", 400)
    seconds = busy.context.by_thread.sum(axis=1)
    count, by_category = 0, dict.fromkeys(CATEGORIES, 0.0)
    for thread in busy.busy_threads():
        samples = list(busy.samples(thread))
        count += len(samples)
        assert sum(one.weight_ns for one in samples) / 1e9 == pytest.approx(seconds[thread], rel=1e-5)
        for one in samples:
            by_category[one.category] += one.weight_ns / 1e9
    assert len(busy.context.busy) > 400 >= count - len(busy.busy_threads())
    for category, drawn in zip(CATEGORIES, busy.context.by_category, strict=True):
        assert by_category[category] == pytest.approx(drawn, abs=0.05 * seconds.sum())


def test_markdown_holds_the_report_and_no_markup_of_others(folder: Path, recording: storeprof.Recording) -> None:
    """Rendered, the verdict, figures and findings are there, and a name with markup is nothing but text."""
    text = (folder / "run.md").read_text(encoding="utf-8")
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert f"<h3>storeprof: {recording.verdict}</h3>" in page
    assert "lock-contention" in page
    assert "<td>put</td>" in page
    assert page.count("<details>") == page.count("</details>") > 0
    assert "<img" not in page
    hostile = run_storeprof("export", folder / "recording", "--format", "markdown").stdout
    assert hostile == text


def test_names_of_others_are_text_in_markdown() -> None:
    """A function named like an image, a mention and a table is rendered as it is spelled."""
    from storeprof.exports.markdown import _plain

    page = MarkdownIt("commonmark").enable("table").render(f"| a | b |\n| --- | --- |\n| {_plain(MARKUP)} | 1 |")
    assert "&lt;img src=x onerror=alert(1)&gt;;|`@\u200ball` *b* [l](x)</td>" in page


def test_what_hosts_act_upon_in_finished_text_is_kept_apart() -> None:
    """A host replaces :emoji:, @mentions, #12 and addresses after rendering: a space without width is between."""
    from storeprof.exports.markdown import _plain

    page = MarkdownIt("gfm-like", {"linkify": False}).render(_plain("kv::lock::get @all #12 http://x.y www.x.y a::b"))
    assert page.strip() == "<p>kv::\u200block::get @\u200ball #\u200b12 http:\u200b//x.y www\u200b.x.y a::b</p>"


def test_what_cannot_be_exported_is_said_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown name, a folder that isn't there, and a missing recording: status 2 and one line."""
    for arguments in (
        (folder / "recording", "-o", tmp_path / "run.xyz"),
        (folder / "recording", "-o", tmp_path / "none" / "run.md"),
        (tmp_path / "none", "--format", "pprof"),
        (folder / "recording",),
    ):
        assert main(["export", *map(str, arguments)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
