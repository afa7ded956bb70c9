"""How fast a large recording is analysed: seconds and memory of a fresh `storeprof analyze --json`.

    python benchmarks/analysis_speed.py [--rows 10000000] [--seconds 800] [--repeat 3] [--keep DIR]

The recording is made up, and written by storeprof's own table writer, so that its size can be chosen: 50 threads (30 of
Python that work, 8 of a pool that mostly waits for work, 12 native ones that perf looked at), 2,000 distinct stacks 40
deep, locks, files, operations with histograms, control totals four times a second. Of the rows 80 % are looks, 18 %
perf samples on the CPU, 2 % perf samples of blocked threads. Printed: wall and CPU seconds and peak resident memory of
each run, the target beside them (5 s and 1 GB on 2 CPUs for 10 million rows).
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from storeprof.recording.model import write_meta
from storeprof.recording.schema import TABLES
from storeprof.recording.tables import null_where, strings, write_table

Array = np.ndarray[Any, Any]

WORKERS, POOL, NATIVE = 30, 8, 12
THREADS = WORKERS + POOL + NATIVE
STACKS, DEPTH, FUNCTIONS = 2000, 40, 400
START_NS = 1_000_000_000_000
SECOND = 1_000_000_000
LOCKS, FILES = 40, 20
OPERATIONS = ("StorageImpl.write", "StorageImpl.read", "StorageImpl.query")
WAITS = {  # reason: (system call, share of a worker's looks)
    "running": (None, 0.50), "gil": (202, 0.20), "lock": (202, 0.12), "disk": (74, 0.08), "queue-put": (202, 0.04),
    "network-receive": (45, 0.03), "sleep": (230, 0.03),
}  # fmt: skip


class Program:
    """The stacks of the made-up program: a trie of frames 40 deep, a native one beside it."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.parents: list[int] = []
        self.frames: list[int] = []
        nodes: dict[tuple[int, int], int] = {}
        self.python = [self._grow(nodes, self._path(generator, 0)) for _ in range(STACKS * 3 // 4)]
        self.native = [self._grow(nodes, self._path(generator, FUNCTIONS)) for _ in range(STACKS // 4)]
        self.loop = self._grow(nodes, [0, 1])

    def _path(self, generator: np.random.Generator, first: int) -> list[int]:
        # The first 30 frames are one of a few ways in, as in a real program; the leaves differ.
        way = int(generator.integers(0, 12))
        head = [first + (way * 30 + depth) % (FUNCTIONS // 2) for depth in range(30)]
        tail = first + FUNCTIONS // 2 + generator.integers(0, FUNCTIONS // 2, size=DEPTH - 30)
        return head + tail.tolist()

    def _grow(self, nodes: dict[tuple[int, int], int], path: list[int]) -> int:
        at = -1
        for frame in path:
            if (at, frame) not in nodes:
                nodes[(at, frame)] = len(self.frames)
                self.parents.append(at)
                self.frames.append(frame)
            at = nodes[(at, frame)]
        return at

    def tables(self) -> dict[str, dict[str, Array]]:
        """Columns of `stacks` and `frames`."""
        parents, count = np.array(self.parents), 2 * FUNCTIONS
        native = np.arange(count) >= FUNCTIONS
        return {
            "stacks": {
                "stack_id": np.arange(len(parents)),
                "parent_id": null_where(parents, parents < 0),
                "frame_id": np.array(self.frames),
            },
            "frames": {
                "frame_id": np.arange(count),
                "kind": strings(["native" if one else "python" for one in native.tolist()]),
                "function": strings([f"Part{one % 37}.step_{one}" for one in range(count)]),
                "module": strings([None if one >= FUNCTIONS else f"engine.part{one % 37}" for one in range(count)]),
                "file": strings([f"engine/part{one % 37}.py" for one in range(count)]),
                "line": np.arange(count) % 500 + 1,
                "first_line": np.arange(count) % 500 + 1,
                "binary": strings(["/app/engine" if one >= FUNCTIONS else None for one in range(count)]),
                "library": np.arange(count) % 7 == 6,
            },
        }


def looks(generator: np.random.Generator, program: Program, rows: int, seconds: float) -> dict[str, Array]:
    """Columns of `looks`: rounds of looks at every thread, a few ms apart, places that last for many looks."""
    rounds = rows // THREADS
    at = START_NS + np.sort(generator.integers(0, int(seconds * SECOND), size=rounds))
    t_ns = (at[:, None] + np.arange(THREADS) * 12_000).ravel()
    thread = np.tile(np.arange(THREADS), rounds)
    names, shares = list(WAITS), [share for _, share in WAITS.values()]
    # What a thread does lasts ten looks: reasons and stacks are drawn once for ten rounds.
    spells = -(-rounds // 10)
    kind = np.repeat(generator.choice(len(names), p=shares, size=(spells, THREADS)), 10, axis=0)[:rounds].ravel()
    chosen = generator.zipf(1.5, size=(spells, THREADS)) % len(program.python)
    stack = np.repeat(np.array(program.python)[chosen], 10, axis=0)[:rounds].ravel()
    pool, native = (thread >= WORKERS) & (thread < WORKERS + POOL), thread >= WORKERS + POOL
    idle = pool & (generator.random(len(thread)) < 0.7)
    stack = np.where(idle, program.loop, stack)
    table = np.array([*names, "queue-get"], dtype=object)
    calls = np.array([call or -2 for call, _ in WAITS.values()] + [202])
    kind = np.where(idle, len(names), np.where(native & (kind == names.index("gil")), names.index("lock"), kind))
    reason = table[kind]
    lock, disk, gil = kind == names.index("lock"), kind == names.index("disk"), kind == names.index("gil")
    resource = np.where(lock, stack % LOCKS, np.where(disk, LOCKS + stack % FILES, -1))
    working = (~idle) & (thread < WORKERS + POOL)
    count = len(thread)
    return {
        "t_ns": t_ns,
        "thread_id": thread + 100,
        "weight_ns": np.full(count, int(seconds * SECOND / rounds)),
        "state": np.where(kind == 0, "R", "S").astype(object),
        "reason": reason,
        "syscall": null_where(calls[kind], calls[kind] == -2),
        "arg0": (stack * 64).astype(np.uint64),
        "arg1": np.zeros(count, dtype=np.uint64),
        "resource_id": null_where(resource, resource < 0),
        "holder_thread_id": null_where((thread + 1) % WORKERS + 100, ~gil),
        "scope_node": null_where(1 + stack % len(OPERATIONS), ~working),
        "op_seq": null_where(np.arange(count) // (10 * THREADS) + 1, ~working),
        "py_stack_id": null_where(stack, native),
        "quality": np.where(native, "none", "ok").astype(object),
        "gc": (kind == 0) & (generator.random(count) < 0.01),
        "faults": generator.integers(0, 3, size=count),
    }


def perf_samples(
    generator: np.random.Generator, program: Program, cpu: int, switch: int, seconds: float
) -> dict[str, dict[str, Array]]:
    """Columns of `cpu_samples` and `switch_samples`; the native threads have half of the samples."""

    def common(rows: int) -> dict[str, Array]:
        native = generator.random(rows) < 0.5
        at = np.where(
            native, WORKERS + POOL + generator.integers(0, NATIVE, rows), generator.integers(0, WORKERS, rows)
        )
        return {
            "t_ns": START_NS + np.sort(generator.integers(0, int(seconds * SECOND), size=rows)),
            "thread_id": at + 100,
            "stack_id": np.array(program.native)[generator.zipf(1.5, size=rows) % len(program.native)],
            "source": strings(["perf"] * rows),
        }

    return {
        "cpu_samples": {**common(cpu), "weight_ns": np.full(cpu, 10_000_000)},
        "switch_samples": {**common(switch), "state": strings(["S"] * switch)},
    }


def small_tables(seconds: float) -> dict[str, dict[str, Array]]:
    """The tables whose size goes by time: control totals, scopes, memory."""
    steps = np.arange(int(seconds * 4))
    edges = START_NS + steps * (SECOND // 4)
    per_thread = len(steps)
    whole = np.full(per_thread * THREADS, SECOND // 4)
    zero = np.zeros(per_thread * THREADS, dtype=np.int64)
    slices = np.arange(int(seconds))
    t0 = np.tile(START_NS + slices * SECOND, len(OPERATIONS))
    node = np.repeat(np.arange(len(OPERATIONS)) + 1, len(slices))
    low = 1000.0 * 1.0625 ** np.arange(60)
    return {
        "processes": {"proc_id": np.array([1]), "pid": np.array([10]), "python": strings(["3.11"])},
        "threads": {
            "thread_id": np.arange(THREADS) + 100,
            "proc_id": np.ones(THREADS, dtype=np.int64),
            "tid": np.arange(THREADS) + 10,
            "name": strings([f"worker-{one}" for one in range(THREADS)]),
            "first_ns": np.full(THREADS, START_NS) + np.arange(THREADS),
            "last_ns": np.full(THREADS, START_NS + int(seconds * SECOND)),
        },
        "thread_time": {
            "thread_id": np.repeat(np.arange(THREADS) + 100, per_thread),
            "t0_ns": np.tile(edges, THREADS),
            "t1_ns": np.tile(edges + SECOND // 4, THREADS),
            "run_ns": whole * 4 // 10,
            "delay_ns": whole // 10,
            "minflt": zero + 20,
            "majflt": zero,
            "voluntary_switches": zero + 25,
            "involuntary_switches": zero + 5,
        },
        "resources": {
            "resource_id": np.arange(LOCKS + FILES),
            "kind": strings(["lock"] * LOCKS + ["file"] * FILES),
            "name": strings([f"lock at {one:#x}" for one in range(LOCKS)] + [f"/data/{one}" for one in range(FILES)]),
        },
        "scope_nodes": {
            "node": np.arange(len(OPERATIONS)) + 1,
            "proc_id": np.ones(len(OPERATIONS), dtype=np.int64),
            "parent": np.zeros(len(OPERATIONS), dtype=np.int64),
            "name": strings(list(OPERATIONS)),
            "flags": np.full(len(OPERATIONS), 2),
        },
        "scope_slices": {
            "proc_id": np.ones(len(t0), dtype=np.int64), "node": node, "t0_ns": t0, "t1_ns": t0 + SECOND,
            "count": np.full(len(t0), 20_000), "total_ns": np.full(len(t0), SECOND), "max_ns": np.full(len(t0), 10**7),
        },
        "scope_histograms": {
            "node": np.repeat(node, len(low)), "t1_ns": np.repeat(t0 + SECOND, len(low)),
            "low_ns": np.tile(low, len(t0)), "high_ns": np.tile(low * 1.0625, len(t0)),
            "count": np.full(len(t0) * len(low), 333),
        },
        "memory": {
            "t_ns": START_NS + slices * SECOND, "proc_id": np.ones(len(slices), dtype=np.int64),
            "kind": strings(["rss"] * len(slices)), "bytes": np.full(len(slices), 300_000_000),
        },
    }  # fmt: skip


def operations(generator: np.random.Generator, seen: dict[str, Array]) -> dict[str, Array]:
    """Columns of `operations`: one for each number that looks carry, of lengths as in the histograms."""
    inside = ~np.ma.getmaskarray(seen["op_seq"])
    key = seen["thread_id"][inside] * 2**32 + np.ma.getdata(seen["op_seq"])[inside]
    number, first = np.unique(key, return_index=True)
    return {
        "op_seq": number % 2**32,
        "thread_id": number // 2**32,
        "node": np.ma.getdata(seen["scope_node"])[inside][first],
        "start_ns": seen["t_ns"][inside][first],
        "duration_ns": (1000.0 * 1.0625 ** (60 * generator.random(len(number)))).astype(np.int64),
        "hit": np.ones(len(number), dtype=bool),
        "weight": np.ones(len(number)),
    }


def make_recording(folder: Path, rows: int, seconds: float) -> None:
    """Write a recording with `rows` looks and samples over `seconds` of wall time."""
    generator = np.random.default_rng(1)
    program = Program(generator)
    (folder / "tables").mkdir(parents=True)
    connection = duckdb.connect()
    samples = perf_samples(generator, program, rows * 18 // 100, rows * 2 // 100, seconds)
    tables = {**program.tables(), **small_tables(seconds), **samples}
    tables["looks"] = looks(generator, program, rows * 80 // 100, seconds)
    tables["operations"] = operations(generator, tables["looks"])
    for name in TABLES:
        write_table(connection, folder / "tables", name, tables.pop(name, {}))
    end = START_NS + int(seconds * SECOND)
    write_meta(
        folder,
        {
            "format": 1, "state": "complete", "id": "made-up", "command": ["engine"], "window": None,
            "started_ns": START_NS, "ended_ns": end, "machine": {"cpus_usable": 2, "boot_id": "none"},
            "collectors": [{"name": "perf", "ran": True, "reason": None, "remedy": None}],
            "program_counts": [{"t_ns": end, "ops": 1_000_000, "seconds": seconds}],
        },
    )  # fmt: skip


def analysed(folder: Path) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and peak resident bytes of one fresh `storeprof analyze --json`."""
    command = [sys.executable, "-m", "storeprof", "analyze", "--json", str(folder)]
    output = os.open(folder / "document.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    began = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, output, 1)])
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - began
    os.close(output)
    assert status == 0, "storeprof analyze failed"
    assert json.loads((folder / "document.json").read_text())["findings"], "nothing was found"
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    """Make the recording, analyse it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="looks and samples together")
    parser.add_argument("--seconds", type=float, default=800, help="wall time that the recording spans")
    parser.add_argument("--repeat", type=int, default=3, help="analyses")
    parser.add_argument("--keep", type=Path, help="leave the recording in this folder, or take the one that is there")
    given = parser.parse_args()
    print(f"{platform.python_version()}, {len(os.sched_getaffinity(0))} CPUs, {platform.release()}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch) / "recording"
        if not folder.exists():
            pid = os.fork()  # so that its memory is nobody's baseline
            if pid == 0:
                make_recording(folder, given.rows, given.seconds)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0, "the recording could not be made"
        size = sum(path.stat().st_size for path in (folder / "tables").iterdir())
        print(f"{given.rows:,} looks and samples over {given.seconds:g} s, {size / 1e6:.0f} MB of Parquet")
        for _ in range(given.repeat):
            wall, cpu, memory = analysed(folder)
            print(f"  {wall:5.2f} s wall   {cpu:5.2f} s CPU   {memory / 1e6:6.0f} MB peak   (target: 5 s, 1,000 MB)")


if __name__ == "__main__":
    main()
