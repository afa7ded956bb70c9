"""perf's file -> cpu_samples, switch_samples and native frames and stacks beside the Python ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from storeprof.collect.linux.native_samples import CPU, NONE, SWITCH, NativeSamples
from storeprof.collect.linux.perf import ENVIRONMENT, Perf
from storeprof.collect.linux.symbols import FrameSource, frame_sources
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError
from storeprof.recording.tables import Columns, first_free, integers, joined, null_where, strings
from storeprof.session.native_names import is_native_library, own_callable, short_name
from storeprof.session.native_pass import PERF_DATA

Array = np.ndarray[Any, Any]

SCRIPT_TIMEOUT_S = 300.0
SAME_LIFE_NS = 2_000_000_000  # a tid may be used again by a child that nobody looked at


def read_perf(folder: Path) -> NativeSamples | None:
    """Samples of a recording's perf.data; None without one.

    Raises CollectorError when perf can't read its own file.
    """
    data = folder / PERF_DATA
    if not data.exists() or data.stat().st_size == 0:
        return None
    perf = Perf()
    text = data.with_name("perf.script.partial")
    try:
        result = run_tool(perf.script_command(data), timeout_s=SCRIPT_TIMEOUT_S, env=ENVIRONMENT, stdout_path=text)
        if result.status != 0:
            said = result.stderr.decode(errors="replace").strip().splitlines()
            raise CollectorError(f"perf script failed: {said[-1] if said else f'status {result.status}'}")
        with open(text, "rb") as lines:
            return perf.parse(lines)
    finally:
        text.unlink(missing_ok=True)


def add_native_tables(folder: Path, meta: dict[str, Any], tables: dict[str, Columns]) -> dict[str, Columns]:
    """The tables with perf's rows added; a perf.data that can't be read becomes a reason in `meta`."""
    try:
        native = read_perf(folder)
    except CollectorError as error:
        for row in meta.get("collectors") or []:
            if row["name"] == "perf":
                row.update(ran=False, reason=str(error), remedy="see raw/perf.data with `perf script`")
        return tables
    if native is None:
        return tables
    _note_quality(meta, native)
    _note_processes(meta, native, tables["processes"])
    first_frame, first_stack = first_free(tables["frames"]["frame_id"]), first_free(tables["stacks"]["stack_id"])
    threads = thread_lives(tables["threads"])
    return {
        **tables,
        "frames": joined(tables["frames"], frames_table(native, first_frame)),
        "stacks": joined(tables["stacks"], stacks_table(native, first_frame, first_stack)),
        "cpu_samples": _samples(native, CPU, threads, first_stack),
        "switch_samples": _samples(native, SWITCH, threads, first_stack),
    }


def _note_quality(meta: dict[str, Any], native: NativeSamples) -> None:
    quality = native.quality()
    for row in meta.get("collectors") or []:
        if row["name"] == "perf" and quality.samples:
            row["samples"] = quality.samples
            row["broken_stacks"] = round(quality.broken, 4)
            row["lost_samples"] = native.lost


def _note_processes(meta: dict[str, Any], native: NativeSamples, processes: Columns) -> None:
    """Count the processes that perf saw and the observer did not."""
    found = meta.get("processes")
    if found:
        others = set(native.samples["pid"].tolist()) - set(processes["pid"].tolist())
        found["seen"] = max(found["seen"], found["observed"] + len(others))


def thread_lives(threads: Columns) -> dict[int, list[tuple[int, int, int]]]:
    """tid -> (first sight, last sight, thread_id): a tid can be used again."""
    result: dict[int, list[tuple[int, int, int]]] = {}
    columns = (threads[name].tolist() for name in ("tid", "first_ns", "last_ns", "thread_id"))
    for tid, first, last, identity in zip(*columns, strict=True):
        result.setdefault(tid, []).append((first, last, identity))
    return result


def _samples(
    native: NativeSamples, kind: int, threads: dict[int, list[tuple[int, int, int]]], first_stack: int
) -> Columns:
    rows = native.samples[native.samples["kind"] == kind]
    identity = np.array(
        [thread_at(threads, tid, t_ns) for tid, t_ns in zip(rows["tid"].tolist(), rows["t_ns"].tolist(), strict=True)],
        dtype=np.int64,
    )
    rows, identity = rows[identity >= 0], identity[identity >= 0]
    stack = rows["stack"].astype(np.int64) + first_stack
    columns: dict[str, Array] = {
        "t_ns": rows["t_ns"],
        "thread_id": identity,
        "stack_id": null_where(stack, rows["stack"] == NONE),
    }
    if kind == CPU:
        return {
            **columns,
            "weight_ns": rows["weight"].astype(np.int64),
            "source": strings(["perf cpu-clock"] * len(rows)),
        }
    states = [state.decode() for state in rows["state"].tolist()]
    return {**columns, "state": strings(states), "source": strings(["perf sched_switch"] * len(rows))}


def thread_at(threads: dict[int, list[tuple[int, int, int]]], tid: int, t_ns: int) -> int:
    """The thread that had this tid then, or nearly then; -1 for one the observer never saw."""
    lives = threads.get(tid, [])
    if not lives:
        return -1
    first, last, identity = min(lives, key=lambda life: max(life[0] - t_ns, t_ns - life[1], 0))
    return identity if first - SAME_LIFE_NS <= t_ns <= last + SAME_LIFE_NS else -1


def stacks_table(native: NativeSamples, first_frame: int, first_stack: int) -> Columns:
    """Columns of `stacks` for native stacks, numbered from `first_stack` on."""
    parent = native.stacks["parent"].astype(np.int64) + first_stack
    return {
        "stack_id": np.arange(len(native.stacks), dtype=np.int64) + first_stack,
        "parent_id": null_where(parent, native.stacks["parent"] == NONE),
        "frame_id": native.stacks["frame"].astype(np.int64) + first_frame,
    }


def frames_table(native: NativeSamples, first_frame: int) -> Columns:
    """Columns of `frames` for native frames, numbered from `first_frame` on; own code gets its source lines."""
    names = [native.symbols[row] for row in native.frames["symbol"].tolist()]
    binaries = [native.dsos[row] for row in native.frames["dso"].tolist()]
    kernel = native.frames["kernel"].tolist()
    library = [
        one or is_native_library(name, binary) for name, binary, one in zip(names, binaries, kernel, strict=True)
    ]
    own = [row for row, one in enumerate(library) if not one]
    found = frame_sources(native, own)
    sources = [found.get(row, FrameSource(None, None)) for row in range(len(names))]
    return {
        "frame_id": np.arange(len(native.frames), dtype=np.int64) + first_frame,
        "kind": strings(["kernel" if one else "native" for one in kernel]),
        "function": strings([short_name(own_callable(name) or name) for name in names]),
        "module": strings([None] * len(names)),
        "file": strings([one.function.file if one.function else None for one in sources]),
        "line": integers([one.sampled.line if one.sampled else None for one in sources]),
        "first_line": integers([one.function.line if one.function else None for one in sources]),
        "binary": strings(list(binaries)),
        "library": np.array(library, dtype=bool),
    }
