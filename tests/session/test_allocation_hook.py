"""The allocation hook: what it samples is unbiased, and the program does not notice it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recordings import record, storeprof
from storeprof.recording.model import Recording

KEEPS = """
import sys, time
kept = []
def keep(count):
    for number in range(count):
        kept.append(bytes(2000))
def churn(count):
    for number in range(count):
        bytearray(3000)
end = time.monotonic() + 2
while time.monotonic() < end:
    keep(40); churn(400); time.sleep(0.002)
print(len(kept))
sys.stdout.flush()
import os
os._exit(0)  # without giving anything back
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, int]:
    """A recording of a program that keeps blocks of 2,000 bytes, and how many it kept."""
    folder = tmp_path_factory.mktemp("hook")
    program = folder / "keeps.py"
    program.write_text(KEEPS)
    done = record(folder, sys.executable, program)
    assert done.status == 0, done.stderr
    return Recording.open(folder / "recording"), int(done.stdout)


def test_surviving_bytes_are_estimated_without_bias(kept: tuple[Recording, int]) -> None:
    """The weights of what was never freed add up to what was kept, by the function that keeps it."""
    recording, count = kept
    rows = recording.sql(
        "SELECT f.function, sum(a.weight_bytes) AS bytes FROM allocations a JOIN stacks s USING (stack_id) "
        "JOIN frames f USING (frame_id) WHERE freed_ns IS NULL GROUP BY ALL ORDER BY bytes DESC"
    )
    assert rows["function"][0] == "keep"
    assert rows["bytes"][0] == pytest.approx(2033 * count, rel=0.5)


def test_what_is_freed_is_seen_to_be_freed(kept: tuple[Recording, int]) -> None:
    """Samples of short-lived buffers end within milliseconds."""
    rows = kept[0].sql(
        "SELECT count(*) AS n, count(freed_ns) AS freed FROM allocations a JOIN stacks s USING (stack_id) "
        "JOIN frames f USING (frame_id) WHERE f.function = 'churn'"
    )
    assert rows["n"][0] > 20
    assert rows["freed"][0] >= 0.95 * rows["n"][0]


def test_the_program_and_its_children_see_their_own_environment(tmp_path: Path) -> None:
    """Nothing of the hook is left in the environment, a preload of the user's is kept, and children have no hook."""
    show = "import os, subprocess; print([v for k, v in sorted(os.environ.items()) if 'PRELOAD' in k or 'ALLOC' in k])"
    child = f"{show}; subprocess.run(['sh', '-c', 'grep -c _allocation_hook /proc/self/maps'])"
    done = record(tmp_path, sys.executable, "-c", child)
    assert done.stdout == "[]\n0\n"


@pytest.mark.parametrize("options", [(), ("--no-alloc-hook",)])
def test_coverage_says_whether_allocations_were_sampled(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The collector's row says that the hook ran, or why not."""
    storeprof("record", "--out", tmp_path / "r", *options, "--", sys.executable, "-c", "bytes(10)")
    rows = json.loads((tmp_path / "r" / "recording.json").read_text())["collectors"]
    row = next(one for one in rows if one["name"] == "allocation hook")
    assert row["ran"] == (not options)
    assert bool(row["reason"]) == bool(options)


def test_the_allocator_is_never_entered_while_it_makes_room(tmp_path: Path) -> None:
    """Small objects in one new region of memory after the other, of the size that a look at the stack itself needs.

    CPython asks malloc for its map of regions in the middle of an allocation; a sample there would allocate, too.
    """
    code = (
        "import mmap, time\n"
        "kept = []\n"
        "for _ in range(150):\n"
        "    reserved = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000\n"
        "    kept.append((mmap.mmap(-1, 1 << 30, flags=reserved), [bytes(28) for _ in range(16500)]))\n"
        "    time.sleep(0.01)\n"
    )
    done = record(tmp_path, sys.executable, "-c", code, options=("--no-perf",))
    assert done.status == 0, done.stderr


def test_a_program_with_forks_and_threads_runs_unchanged(tmp_path: Path) -> None:
    """Output and status of a program that forks, execs and starts threads are those of an ordinary run."""
    code = (
        "import os, threading\n"
        "threads = [threading.Thread(target=lambda: [bytes(5000) for _ in range(2000)]) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "pid = os.fork()\n"
        "if pid == 0:\n    x = [bytes(5000) for _ in range(2000)]; os.execvp('echo', ['echo', 'child'])\n"
        "print(os.waitpid(pid, 0)[1], flush=True)\n"
        "raise SystemExit(3)\n"
    )
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    done = record(tmp_path, sys.executable, "-c", code)
    assert (done.status, done.stdout) == (plain.returncode, plain.stdout)
