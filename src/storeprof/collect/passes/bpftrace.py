"""bpftrace: the exact partition of wall time and the disks' latency by tracepoints, function entries by uprobes.

Needs root (or CAP_BPF and CAP_PERFMON) and a kernel with BPF. It is attached before the program starts.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.installing import installed
from storeprof.collect.linux.native_functions import entries_of
from storeprof.collect.pass_tool import Figure, PassOptions, PassResult, Reading, Target
from storeprof.collect.passes.bpftrace_output import BpftraceMaps, Bucket, parse_bpftrace, quantile_ns
from storeprof.collect.passes.bpftrace_scripts import entries_script, kernel_script
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError
from storeprof.recording.system_calls import call_name

TRY_TIMEOUT_S: Final = 20.0
_HANGS: Final[dict[str, Availability]] = {}
_TRACEFS: Final = Path("/sys/kernel/tracing")
# bpftrace drops what a full map has no room for; its own limit is 4096 keys.
ENVIRONMENT: Final = {"BPFTRACE_MAP_KEYS_MAX": "65536", "BPFTRACE_STRLEN": "32"}
_QUANTILES: Final = ((0.5, "P50"), (0.95, "P95"), (0.99, "P99"))


class _Bpftrace:
    """What the two collectors share."""

    attaches = True
    follows_children = False
    own_processes = frozenset({"bpftrace"})

    def available(self, context: Context) -> Availability:
        """Load a program, since only that tells (half a second where it works)."""
        del context
        found = installed("bpftrace")
        if not found.ok:
            return found
        if os.geteuid() != 0:
            return Availability(False, "bpftrace needs root", "run storeprof as root: sudo storeprof …")
        return can_load()

    def environment(self, options: PassOptions) -> dict[str, str]:
        """Room for many threads and functions."""
        del options
        return dict(ENVIRONMENT)

    def readings(self, options: PassOptions) -> list[Reading]:
        """Its output is text already."""
        del options
        return []


class Bpftrace(_Bpftrace):
    """The collector `bpftrace`: tracepoints of scheduler, system calls and block devices."""

    name = "bpftrace"
    collects = frozenset({"offcpu", "io"})
    adds = "exact time on the CPU, waiting for one and blocked, by thread and system call; latency of the disks"
    costs = "0.3 microseconds for each system call, about one for each context switch"

    def unfit(self, target: Target) -> str | None:
        """It fits every program."""
        del target
        return None

    def command(self, options: PassOptions) -> list[str]:
        """Trace the threads that the process has now, and those they start."""
        pid = options.pid or 0
        script = kernel_script(_tids(pid), partition=True, block=True, duration_s=options.duration_s)
        return ["bpftrace", "-f", "json", "-o", str(options.output), "-e", script]

    def parse(self, output: Path) -> PassResult:
        """Seconds on the CPU, queueing, blocked by system call; per thread; latency and bytes by device."""
        maps = _read(output)
        notes = ["disk latency is that of the whole machine: its requests have no owner when they complete"]
        return PassResult([*_partition(maps), *_disks(maps)], notes + _lost(maps))


class BpftraceEntries(_Bpftrace):
    """The collector `bpftrace-entries`: a uprobe at the entry and the return of named functions."""

    name = "bpftrace-entries"
    collects = frozenset({"entries"})
    adds = "calls and latency (P50, P95, P99, longest) of the native functions that entries=PATTERN names"
    costs = "some 12 microseconds for each call of these functions, which their latency contains"

    def unfit(self, target: Target) -> str | None:
        """It sees functions of native programs."""
        if target.python is not None:
            return "uprobes see native functions; time Python functions with --operation MODULE.FUNCTION"
        return None if target.program else "the program is no native one, or its file can't be read"

    def command(self, options: PassOptions) -> list[str]:
        """Probe the functions that the patterns name. Raises CollectorError when they name none, or too many."""
        if options.target.program is None:
            raise CollectorError("the program's file is not known")
        functions = entries_of(options.target.program, options.target.entries)
        _names_file(options.output).write_text(json.dumps([one.name for one in functions]), encoding="utf-8")
        script = entries_script(functions, options.pid or 0, options.duration_s)
        return ["bpftrace", "-f", "json", "-o", str(options.output), "-e", script]

    def parse(self, output: Path) -> PassResult:
        """Calls, total time and quantiles of each function, most called first."""
        maps = _read(output)
        try:
            names = json.loads(_names_file(output).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CollectorError(f"{_names_file(output).name}: can't be read ({error})") from None
        return PassResult(_entries(maps, names), _lost(maps))


def can_load() -> Availability:
    """Whether this kernel takes a BPF program on a tracepoint; one that hung once is not waited for again."""
    path = shutil.which("bpftrace") or ""
    if path in _HANGS:
        return _HANGS[path]
    found = _try_to_load()
    if "it hangs" in (found.reason or ""):
        _HANGS[path] = found
    return found


def _try_to_load() -> Availability:
    try:
        done = run_tool(
            ["bpftrace", "-e", "tracepoint:sched:sched_switch { } interval:ms:1 { exit(); }"], timeout_s=TRY_TIMEOUT_S
        )
    except CollectorError as error:
        return Availability(False, str(error), "see what `bpftrace -l` says")
    if done.status == 0 and not done.timed_out:
        return Availability(True)
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if "RLIMIT_MEMLOCK" not in line]
    # Under the error bpftrace quotes the script and underlines the place.
    said = [line for line in said if "ERROR" in line] or said
    reason = "it hangs" if done.timed_out else (said[-1].strip() if said else f"status {done.status}")
    remedy = "run on a kernel with CONFIG_BPF_EVENTS, in a container with --privileged and /sys/kernel/tracing mounted"
    if not (_TRACEFS / "events").exists():
        remedy = f"mount -t tracefs nodev {_TRACEFS}"
    return Availability(False, f"bpftrace can't load a program: {reason}", remedy)


def _tids(pid: int) -> list[int]:
    """The process first, then its other threads."""
    try:
        return [pid, *sorted(int(one.name) for one in Path(f"/proc/{pid}/task").iterdir() if int(one.name) != pid)]
    except OSError:
        return [pid]


def _names_file(output: Path) -> Path:
    return output.with_name(output.name + ".functions")


def _read(output: Path) -> BpftraceMaps:
    with open(output, encoding="utf-8", errors="replace") as lines:
        maps = parse_bpftrace(lines)
    if not maps.ready:
        raise CollectorError(f"{output.name}: bpftrace ended before its probes were attached")
    return maps


def _lost(maps: BpftraceMaps) -> list[str]:
    notes = [f"{maps.lost} events were lost: counts are too low"] if maps.lost else []
    return notes + (["the output was cut short"] if maps.cut_short else [])


def _partition(maps: BpftraceMaps) -> list[Figure]:
    end = maps.values.get("@end", {}).get((), 0)
    parts: dict[tuple[str, str], int] = {}  # (thread, what) -> ns

    def add(tid: str, what: str, ns: int) -> None:
        parts[tid, what] = parts.get((tid, what), 0) + max(0, ns)

    for (tid,), ns in maps.values.get("@cpu", {}).items():
        add(tid, "on the CPU", ns)
    for (tid,), ns in maps.values.get("@queue", {}).items():
        add(tid, "waiting for a CPU", ns)
    for (tid, call), ns in maps.values.get("@blocked", {}).items():
        add(tid, _blocked(call), ns)
    # What a thread was doing when it all ended has no end of its own.
    calls = maps.values.get("@call", {})
    for map_name, what in (("@on", "on the CPU"), ("@queued", "waiting for a CPU"), ("@off", "")):
        for (tid,), since in maps.values.get(map_name, {}).items():
            if since and end > since:
                add(tid, what or _blocked(str(calls.get((tid,), 1))), end - since)
    names = {tid: name for (tid,), name in maps.texts.get("@name", {}).items()}
    totals: dict[str, int] = {}
    for (_, what), ns in parts.items():
        totals[what] = totals.get(what, 0) + ns
    rows = [Figure(what, ns / 1e9, "s", (), "offcpu") for what, ns in sorted(totals.items(), key=lambda row: -row[1])]
    for (tid, what), ns in sorted(parts.items(), key=lambda row: -row[1]):
        rows.append(Figure(what, ns / 1e9, "s", ((f"thread {names.get(tid, '?')} ({tid})", None, None),), "offcpu"))
    by_call = sorted(maps.values.get("@calls", {}).items(), key=lambda row: -row[1])
    return rows + [Figure(f"calls of {call_name(int(call))}", float(n), "calls", (), "io") for (call,), n in by_call]


def _blocked(call: str) -> str:
    """The script stores a system call's number plus two, 1 for none, 0 for unknown."""
    number = int(call)
    if number <= 1:
        return "blocked in no system call" if number else "blocked, since before the pass"
    return f"blocked in {call_name(number - 2)}"


def _disks(maps: BpftraceMaps) -> list[Figure]:
    rows = []
    for (device, kind), buckets in sorted(maps.histograms.get("@disk", {}).items()):
        number = int(device)
        place = ((f"device {number >> 20}:{number & 0xFFFFF} {kind}", None, None),)
        rows.append(Figure("requests", float(sum(one.count for one in buckets)), "requests", place, "io"))
        rows.append(
            Figure("bytes", float(maps.values.get("@disk_bytes", {}).get((device, kind), 0)), "bytes", place, "io")
        )
        rows += _quantiles(buckets, place, "io")
    return rows


def _entries(maps: BpftraceMaps, names: list[str]) -> list[Figure]:
    rows = []
    for (number,), calls in sorted(maps.values.get("@calls", {}).items(), key=lambda row: -row[1]):
        if not number.isdecimal() or int(number) >= len(names):
            raise CollectorError(f"bpftrace's output names function {number}, and {len(names)} were asked for")
        place = ((names[int(number)], None, None),)
        rows.append(Figure("calls", float(calls), "calls", place, "entries"))
        for map_name, figure in (("@total", "total time"), ("@longest", "longest")):
            value = maps.values.get(map_name, {}).get((number,))
            if value is not None:
                rows.append(Figure(figure, value / 1e9, "s", place, "entries"))
        rows += _quantiles(maps.histograms.get("@latency", {}).get((number,), []), place, "entries")
    called = {int(number) for (number,) in maps.values.get("@calls", {})}
    never = [name for at, name in enumerate(names) if at not in called]
    return rows + [Figure("calls", 0.0, "calls", ((name, None, None),), "entries") for name in never]


def _quantiles(buckets: list[Bucket], place: tuple[tuple[str, None, None]], group: str) -> list[Figure]:
    found = [(name, quantile_ns(buckets, share)) for share, name in _QUANTILES]
    return [Figure(f"{name} at most", ns / 1e9, "s", place, group) for name, ns in found if ns is not None]
