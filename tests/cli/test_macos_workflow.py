"""The strategy's workflow on a Mac, with stand-ins that print what the tools of macOS print."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from recordings import storeprof
from workshop import make_workshop, typed

HEAD = """\
Process:         storageimpl_benchmark [@PID]
Path:            /Users/dev/tsdb/build-profiling/storageimpl_benchmark
Load Address:    0x104a90000
Identifier:      storageimpl_benchmark
Version:         0
Code Type:       ARM64
Parent Process:  bash [1]

Date/Time:       2026-11-25 10:00:00.000 +0000
Launch Time:     2026-11-25 09:59:50.000 +0000
OS Version:      macOS 14.5 (23F79)
Report Version:  7
Analysis Tool:   /usr/bin/@TOOL
----

"""
PRINTED = {
    "sample": "Analysis of sampling storageimpl_benchmark (pid @PID) every 1 millisecond\n"
    + HEAD
    + """\
Call graph:
    900 Thread_101: client-0
    + 900 thread_start  (in libsystem_pthread.dylib) + 8  [0x18000]
    +   900 client(tsdb::StorageImpl&, int)  (in storageimpl_benchmark) + 44  [0x104a91000]
    +     700 tsdb::StorageImpl::write(core::Sample)  (in storageimpl_benchmark) + 90  [0x104a92000]
    +     ! 700 pthread_mutex_lock  (in libsystem_pthread.dylib) + 96  [0x18100]
    +     !   700 __psynch_mutexwait  (in libsystem_kernel.dylib) + 8  [0x18200]
    +     200 tsdb::CompressionEngine::compress(core::Samples const&)  (in storageimpl_benchmark) + 20  [0x104a93000]
    900 Thread_102: background
      900 thread_start  (in libsystem_pthread.dylib) + 8  [0x18000]
        900 tsdb::BackgroundProcessor::process()  (in storageimpl_benchmark) + 12  [0x104a94000]

Total number in stack (recursive counted multiple, when >=5):

Sort by top of stack, same collapsed (when >= 5):
        __psynch_mutexwait  (in libsystem_kernel.dylib)        700

Binary Images:
       0x104a90000 -        0x104aa0000 +storageimpl_benchmark (0) <UUID> /Users/dev/tsdb/storageimpl_benchmark
""",
    "leaks": HEAD
    + """\
leaks Report Version: 4.0
Process @PID: 157 nodes malloced for 17 KB
Process @PID: 1 leak for 256 total leaked bytes.

    1 (256 bytes) << TOTAL >>
      1 (256 bytes) ROOT LEAK: <malloc in StorageImpl 0x600000 [256]>
""",
}
STUB = """#!/bin/sh
pid=$1
cat <<'EOF' | sed "s/@PID/$pid/g; s/@TOOL/{tool}/g"
{text}
EOF
"""

DATA = Path(__file__).parents[1] / "data" / "macos"
# Makes the trace, which is a folder, where it was told to.
XCTRACE = '#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done; mkdir "$2" && touch "$2/form.template"\n'


@pytest.fixture
def mac(tmp_path: Path) -> Path:
    """A PATH whose first folder makes this a Mac with sample and leaks, and without the others' output."""
    for tool, text in PRINTED.items():
        (tmp_path / tool).write_text(STUB.format(tool=tool, text=text.rstrip("\n")), encoding="utf-8")
    (tmp_path / "uname").write_text("#!/bin/sh\necho Darwin\n", encoding="utf-8")
    (tmp_path / "heap").write_text("#!/bin/sh\necho '[fatal] unable to get task' >&2; exit 1\n", encoding="utf-8")
    shutil.copy(DATA / "malloc_history-by-size.txt", tmp_path / "history.txt")
    (tmp_path / "malloc_history").write_text(f"#!/bin/sh\ncat {tmp_path}/history.txt\n", encoding="utf-8")
    (tmp_path / "xctrace").write_text(XCTRACE, encoding="utf-8")
    (tmp_path / "open").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/opened\n', encoding="utf-8")
    (tmp_path / "sudo").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    for file in tmp_path.iterdir():
        file.chmod(0o755)
    return tmp_path


def test_a_mac_gets_a_recording_and_a_verdict_from_its_own_tools(
    tmp_path_factory: pytest.TempPathFactory, mac: Path
) -> None:
    """A running process, by pid: what tools print is kept under the strategy's names and judged; what fails is said."""
    workshop = make_workshop(tmp_path_factory.mktemp("project"))
    with subprocess.Popen(["sleep", "60"]) as process:
        done = typed(workshop, f"PATH={mac}:$PATH ./scripts/profile_storageimpl.sh 3 {process.pid}")
        process.terminate()
    assert done.returncode == 0, done.stderr
    assert "heap failed: [fatal] unable to get task" in done.stderr
    assert "vmmap is not installed (xcode-select --install)" in done.stderr
    assert "dtrace needs root: sudo dtrace -q -n 'pid$target:sleep::entry" in done.stderr
    recording = workshop / done.stderr.rsplit("recording: ", 1)[1].strip()
    (sampled,) = recording.glob("sample_profile_*.txt")
    assert sampled.read_text().startswith(f"# storeprof: sample (macOS) of sleep ({process.pid})\nAnalysis of")
    (leaks,) = recording.glob("leaks_*.txt")
    assert "256 total leaked bytes" in leaks.read_text()
    (trace,) = recording.glob("instruments_*.trace")
    assert f"open -a Instruments {trace.relative_to(workshop)}" in done.stderr
    document = json.loads(storeprof("analyze", recording, "--json").stdout)
    assert {row["format"] for row in document["imported"]} == {"sample", "leaks", "malloc_history"}
    assert document["wall_time"]["lock"] > 0.3
    done = typed(workshop, f"PATH={mac}:$PATH ./scripts/analyze_profiling_results.sh {recording}")
    assert done.returncode == 0, done.stderr
    assert f"{recording}/leaks_" in done.stdout
    assert not list((workshop / "storeprof-runs").glob(".macos*"))


def test_a_trace_is_opened_where_that_is_asked_for(tmp_path_factory: pytest.TempPathFactory, mac: Path) -> None:
    """STOREPROF_OPEN opens the trace in Instruments; without a template none is made."""
    workshop = make_workshop(tmp_path_factory.mktemp("project"))
    with subprocess.Popen(["sleep", "60"]) as process:
        script = f"./scripts/profile_storageimpl.sh 1 {process.pid}"
        done = typed(workshop, f"PATH={mac}:$PATH STOREPROF_OPEN=1 {script}")
        opened = (mac / "opened").read_text()
        (mac / "opened").unlink()
        without = typed(workshop, f"PATH={mac}:$PATH STOREPROF_OPEN=1 STOREPROF_TRACE=none {script}")
        process.terminate()
    assert done.returncode == without.returncode == 0, done.stderr + without.stderr
    assert opened.startswith("-a Instruments storeprof-runs/")
    assert not (mac / "opened").exists()
