"""Benchmark and test binaries as people have them, and the strategy's workflow, typed word for word."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from recordings import PROGRAMS, build, record, storeprof
from storeprof.recording.model import read_meta
from workshop import make_workshop, typed

CLASSES = (
    "StorageImpl::write",
    "StorageImpl::read",
    "BlockManager::store_block",
    "CacheHierarchy::get",
    "CompressionEngine::compress",
    "BackgroundProcessor::process",
)


def functions(document: dict[str, Any]) -> dict[str, float]:
    """Share of CPU time of each function of the document, by name."""
    return {row["function"]: row["self_cpu_share"] for row in document["functions"]}


def test_instances_of_a_template_are_one_function_on_request_and_threads_keep_their_names(tmp_path: Path) -> None:
    """Each instance has a share; --fold-templates makes one function of them; inlined code is its caller's."""
    program = build(tmp_path, PROGRAMS / "planted_templates.cpp", "-O2", "-g", "-fno-omit-frame-pointer")
    done = record(tmp_path, program, seconds=2)
    assert done.status == 0, done.stderr
    apart = functions(json.loads(storeprof("analyze", tmp_path / "recording", "--json").stdout))
    assert apart["planted::Codec<int>::encode"] == pytest.approx(0.5, abs=0.15)
    assert apart["planted::Codec<long>::encode"] == pytest.approx(0.5, abs=0.15)
    document = json.loads(storeprof("analyze", tmp_path / "recording", "--json", "--fold-templates").stdout)
    assert functions(document)["planted::Codec<>::encode"] > 0.9
    assert not any("step" in name for name in apart)
    (profile,) = (tmp_path / "recording").glob("sample_profile_*.txt")
    assert "(encoder-7)" in profile.read_text()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the workflow is typed."""
    return make_workshop(tmp_path_factory.mktemp("project"))


def test_the_workflow_of_the_strategy_works_word_for_word(workshop: Path) -> None:
    """Setup, build, baseline, analysis: the same commands, and files under the same names."""
    done = typed(workshop, "./scripts/macos_profiling_setup.sh --no-install")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "build-profiling/ is configured: RelWithDebInfo, -g -O2 -fno-omit-frame-pointer" in done.stdout
    # The next two lines are typed in build-profiling/, where the strategy has left its reader.
    done = typed(workshop, "cd build-profiling && make -j4 && ./tsdb_integration_test_suite")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[  PASSED  ] 7 tests." in done.stdout
    done = typed(workshop, "cd build-profiling && ./scripts/profile_storageimpl.sh 1.5 storageimpl_benchmark 2")
    assert done.returncode == 0, done.stderr
    recording = workshop / done.stderr.rsplit("recording: ", 1)[1].strip()
    for pattern in ("performance_test_*.log", "sample_profile_*.txt", "heap_analysis_*.txt", "vmmap_analysis_*.txt"):
        assert list(recording.glob(pattern)), pattern
    for pattern in ("leaks_*.txt", "dtrace_*.txt"):
        (file, *_) = recording.glob(pattern)
        assert file.read_text().startswith("# storeprof: "), pattern
    done = typed(workshop, "./scripts/analyze_profiling_results.sh")
    assert done.returncode == 0, done.stderr
    assert "from passes of their own" in done.stdout
    assert f"{recording.relative_to(workshop)}/performance_test_" in done.stdout
    done = typed(workshop, "cd build-profiling && ./scripts/analyze_profiling_results.sh")
    assert f"recording: {recording}" in done.stdout and f"  {recording}/performance_test_" in done.stdout
    operations = next(recording.glob("performance_test_*.log")).read_text()
    assert all(f"tsdb::{name}" in operations for name in CLASSES[:2])


def test_the_example_engine_has_the_functions_that_the_strategy_names(workshop: Path) -> None:
    """All six are functions of the built program, so that `entries=` finds them."""
    if not (workshop / "build-profiling" / "storageimpl_benchmark").exists():
        typed(workshop, "./scripts/profiling_setup.sh --no-install && make -C build-profiling -j4")
    symbols = typed(workshop, "nm -C build-profiling/storageimpl_benchmark").stdout
    assert [name for name in CLASSES if f"tsdb::{name}" not in symbols] == []


def test_a_test_suite_that_ends_within_milliseconds_is_recorded(workshop: Path) -> None:
    """Too short to judge is what the verdict says; the status is the suite's own."""
    suite = workshop / "build-profiling" / "tsdb_integration_test_suite"
    done = storeprof("record", "--out", workshop / "short", "--", suite, "--gtest_filter=CompressionEngine.*")
    assert done.status == 0, done.stderr
    assert "CompressionEngine.GivesBackWhatItTook" in done.stdout
    document = json.loads(storeprof("analyze", workshop / "short", "--json").stdout)
    assert document["verdict"] == "inconclusive"


def test_a_program_that_runs_is_profiled_by_its_name_and_left_running(workshop: Path) -> None:
    """The process of that name is meant, not the binary of that name; it is recorded from outside and runs on."""
    benchmark = workshop / "build-profiling" / "storageimpl_benchmark"
    with subprocess.Popen([benchmark, "60"], stdout=subprocess.DEVNULL) as process:
        options = "STOREPROF_OPTIONS='--preset light'"
        done = typed(workshop, f"{options} ./scripts/profile_storageimpl.sh 1 storageimpl_benchmark")
        alive = process.poll() is None
        process.terminate()
    assert (done.returncode, alive) == (0, True), done.stderr
    recording = workshop / done.stderr.rsplit("recording: ", 1)[1].strip()
    assert read_meta(recording)["attached_pid"] == process.pid


def test_scripts_say_what_is_wrong_with_what_was_typed(workshop: Path) -> None:
    """No seconds, or a name that is neither program nor process: one line, status 2."""
    assert typed(workshop, "./scripts/profile_storageimpl.sh").returncode == 2
    done = typed(workshop, "./scripts/profile_storageimpl.sh 5 no_such_engine")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no_such_engine is no program here, and no process has that name" in done.stderr
    done = typed(workshop, "./scripts/analyze_profiling_results.sh no_such_folder")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no_such_folder: no such folder" in done.stderr
