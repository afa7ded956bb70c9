"""`import storeprof`: light until it is used, then the one Recording object that the command line is built on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import storeprof
from recordings import storeprof as run_storeprof
from storeprof.errors import RecordingError, TargetError, UsageError
from views.made_up import make

ROOT = Path(__file__).parents[2]
IMPORT_S = 0.010  # about 2 ms; five times that on a busy machine


def burn(seconds: float) -> int:
    """Compute for some time."""
    total, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        total += sum(number * number for number in range(1000))
    return total


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> storeprof.OwnRecording:
    """A recording of this very process."""
    with storeprof.recording(tmp_path_factory.mktemp("own") / "out", perf=False) as run:
        burn(2)
    return run


def test_importing_storeprof_is_light() -> None:
    """It loads the probe and nothing of the profiler, within some milliseconds; `import *` does so, too."""
    probe = ["storeprof", "storeprof.probe", "storeprof.probe._locks", "storeprof.probe._recorder"]
    for form in ("import storeprof", "from storeprof import *"):
        code = f"import sys; before = set(sys.modules)\n{form}\nprint(*sorted(set(sys.modules) - before), open)"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert loaded.split() == ["__future__", *probe, "<built-in", "function", "open>"]
    code = "import time; t = time.perf_counter(); import storeprof; print(time.perf_counter() - t)"
    took = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)]
    assert min(took) < IMPORT_S


def test_a_program_records_itself(own: storeprof.OwnRecording) -> None:
    """After the block the recording is complete, and knows where the block spent its time."""
    recording = own.recording
    assert recording.verdict in ("bottleneck", "no-bottleneck", "inconclusive")
    assert recording.wall_time["cpu"] + recording.wall_time["run_queue"] > 0.5
    assert any("test_api.burn" in row["function"] for row in recording.document["functions"])
    assert recording.meta["attached_pid"]


def test_opening_gives_what_the_command_line_prints(own: storeprof.OwnRecording) -> None:
    """The document is that of `analyze --json`, and the findings are its rows as dataclasses."""
    recording = storeprof.open(own.folder)
    done = run_storeprof("analyze", "--json", own.folder)
    document = json.loads(done.stdout)
    assert document == json.loads(json.dumps(recording.document))
    assert [row.id for row in recording.findings] == [row["id"] for row in document["findings"]]
    assert [row.where.function for row in recording.findings] == [
        row["where"]["function"] for row in document["findings"]
    ]
    assert all(isinstance(row, storeprof.Finding) for row in recording.findings)
    assert len(recording.coverage) == len(document["coverage"])
    assert recording.report() == run_storeprof("report", own.folder).stdout


def test_the_name_of_a_package_is_also_a_function() -> None:
    """`storeprof.recording` can be called, however much of the package was imported before."""
    import storeprof.recording.model

    assert callable(storeprof.recording)
    assert storeprof.recording.model.Recording.__name__ == "Recording"


def test_what_cannot_be_recorded_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """A folder in use raises an error with the recorder's own line, and the program goes on."""
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(TargetError, match="not empty"), storeprof.recording(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_an_error_in_the_block_passes_on_and_the_recording_is_kept(tmp_path: Path) -> None:
    """What was recorded until then can be opened; inside the block it can't be."""
    with pytest.raises(ZeroDivisionError), storeprof.recording(tmp_path / "out", perf=False) as run:
        with pytest.raises(RecordingError, match="still being recorded"):
            _ = run.recording
        burn(0.3)
        _ = 1 / 0
    assert storeprof.open(tmp_path / "out").meta["state"] == "complete"


def test_unusable_input_raises_one_line(own: storeprof.OwnRecording, tmp_path: Path) -> None:
    """No recording, and no such format: a StoreprofError of one line each."""
    with pytest.raises(storeprof.StoreprofError, match=r"no such recording"):
        storeprof.open(tmp_path / "none")
    with pytest.raises(UsageError, match="no export format 'svg'"):
        storeprof.open(own.folder).export("svg")


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("recording.json", None, "not a recording"),
        ("recording.json", b"{", "damaged"),
        ("recording.json", b"\xff\x00", "damaged"),
        ("recording.json", b"[]", "damaged"),
        ("recording.json", b'{"format": 99}', "upgrade storeprof"),
        ("recording.json", {"window": "a"}, "its window is no pair of times"),
        ("recording.json", {"window": [2, 1]}, "ends before it begins"),
        ("recording.json", {"machine": None}, "no machine"),
        ("tables/looks.parquet", None, "tables are missing"),
        ("tables/looks.parquet", b"PAR1", "damaged"),
        ("tables/stacks.parquet", b"", "damaged"),
    ],
)
def test_a_damaged_recording_raises_one_error_class(
    tmp_path: Path, file: str, content: bytes | dict[str, object] | None, words: str
) -> None:
    """Whatever is missing, cut short or of a later version: a RecordingError of one line that names the file."""
    folder = make(tmp_path / "recording")
    if isinstance(content, dict):
        meta = json.loads((folder / file).read_text(encoding="utf-8")) | content
        (folder / file).write_text(json.dumps(meta), encoding="utf-8")
    elif content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(RecordingError, match=words) as raised:
        storeprof.open(folder)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_all_names_are_there_and_no_others() -> None:
    """Every name in `__all__` and of the profiler can be used, and an unknown one is an AttributeError."""
    late = {"Finding", "OwnRecording", "Recording", "StoreprofError", "open", "recording"}
    assert all(hasattr(storeprof, name) for name in late | set(storeprof.__all__))
    assert not late & set(storeprof.__all__)
    assert not hasattr(storeprof, "no_such_name")


@pytest.mark.parametrize("page", ["README.md", "docs/guide/python.md"])
def test_examples_of_the_documentation_run(page: str, tmp_path: Path) -> None:
    """Every Python example of a page runs as it stands, one after the other in one folder."""
    examples = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for number, example in enumerate(examples):
        script = tmp_path / f"example{number}.py"
        script.write_text(example, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
