"""Profiles -> samples: sample, collapsed stacks, perf script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from storeprof.collect.collapsed import parse_collapsed
from storeprof.collect.linux.perf_samples import CYCLES, NANOSECONDS, NO_EVENT, PerfFile, PerfSample, read_perf_samples
from storeprof.collect.macos.sample import SampleReport, parse_sample
from storeprof.collect.macos.wait_symbols import wait_reason
from storeprof.collect.tool_output import Frame, UnreadableLine
from storeprof.intake.convert_head import note_head
from storeprof.intake.incident import FileFacts, Incident, Seen

WALL: Final = "wall"
LARGEST_WEIGHT: Final = 1 << 62


def load_sample(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """A report of `sample`: looks at every thread, with the reason of each wait from its innermost symbols."""
    report = parse_sample(lines)
    facts.cut_short = report.cut_short
    tables = incident.tables
    process = tables.process(report.pid, report.name, report.header.path)
    process.sources.add(WALL)
    note_head(incident, report.header, process, facts)
    paths = _paths(report)
    threads = []
    reasons: Counter[str] = Counter()
    for number, one in enumerate(report.threads):
        tid = int(one.id) if one.id.isdigit() else None
        thread = tables.thread(process, one.id if tid else f"{one.id} {number}", tid, one.name or _queue(one.queue))
        seen = []
        for stack in one.stacks:
            frames = [_placed(frame, paths) for frame in stack.frames]
            reason = wait_reason(stack.frames)
            reasons[reason] += stack.count
            seen.append(Seen(tables.stack(frames), stack.count, reason))
        if one.lost:  # their stacks are not known, but the time is the thread's
            seen.append(Seen(-1, one.lost, "unknown"))
        threads.append((thread, seen))
    if incident.takes_cpu_of(process, WALL):
        incident.lay_out(threads, report.interval_ns, table="looks", source="sample")
        incident.wall_samples = True
    facts.figures |= {
        "threads": len(report.threads),
        "samples": sum(one.count for one in report.threads),
        "interval_ms": report.interval_ns / 1e6 if report.interval_ns else None,
        "samples_by_state": dict(reasons.most_common()),
        "binary_images": len(set(report.images.values())),
    }
    if report.images:
        facts.figures["images"] = sorted(set(report.images.values()))[:200]


def _queue(queue: str | None) -> str | None:
    """`DispatchQueue_1: com.apple.main-thread  (serial)` -> the queue's name."""
    if queue is None:
        return None
    name = queue.partition(":")[2].strip()
    return name.split("  (")[0] or None


def _paths(report: SampleReport) -> dict[str, str]:
    paths = dict(report.images)
    if report.header.path:
        paths.setdefault(report.header.path.rsplit("/", 1)[-1], report.header.path)
    return paths


def _placed(frame: Frame, paths: dict[str, str]) -> Frame:
    path = paths.get(frame.image or "")
    return replace(frame, image=path) if path else frame


def load_collapsed(lines: Iterator[str], incident: Incident, facts: FileFacts) -> None:
    """Collapsed stacks, py-spy's raw format among them: CPU samples of an unknown unit."""
    found = parse_collapsed(lines)
    facts.cut_short = found.cut_short
    tables = incident.tables
    threads: dict[int, list[Seen]] = {}
    for one in found.stacks:
        process = tables.process(one.pid)
        thread = tables.thread(
            process,
            one.thread or "all",
            int(one.thread, 16 if one.thread.startswith("0x") else 10)
            if one.thread and _is_number(one.thread)
            else None,
            one.thread_name or ("all threads" if one.thread is None else None),
        )
        threads.setdefault(thread, []).append(Seen(tables.stack(one.frames), one.count))
    process = tables.processes[-1] if not tables.processes else tables.process(found.stacks[0].pid)
    kind = "py-spy raw" if found.python else "collapsed stacks"
    facts.format = kind
    if incident.takes_cpu_of(process, "collapsed"):
        incident.lay_out(list(threads.items()), None, table="cpu_samples", source=kind)
        incident.cpu_samples = True
    else:
        facts.notes.append("its process has samples of its own from another file: these are kept beside them")
    facts.figures |= {"stacks": len(found.stacks), "samples": found.total, "threads": len(threads)}
    if found.unended:
        facts.notes.append("its last line has no line end: if the file was cut there, that count is too low")
    facts.notes.append(
        "what its counts are (samples, time, bytes) the file does not say: shares are known, times are not"
    )


def _is_number(text: str) -> bool:
    return text.isdigit() or text.startswith("0x")


class _PerfLoader:
    """Samples of `perf script` as they come: CPU samples of one event, switches, and other events beside them."""

    def __init__(self, incident: Incident, events: set[str]) -> None:
        self._incident = incident
        self._tables = incident.tables
        named = [
            event
            for event in ("cpu-clock", "task-clock", "cycles", "cpu-cycles", "ref-cycles", NO_EVENT)
            if event in events
        ]
        self.main = named[0] if named else None
        self.counts: Counter[str] = Counter()
        self.weights: Counter[str] = Counter()
        self.idle = self.broken = self.untimed = 0
        self._shift: int | None = None
        self._number = 0
        self._threads: dict[tuple[str, int | None, int], tuple[int, bool]] = {}
        self._source = self._tables.word(f"perf {self.main}")

    def add(self, one: PerfSample) -> None:
        self.counts[one.event] += 1
        self.weights[one.event] += one.period or 1
        self.broken += one.broken
        if one.tid == 0 and one.comm.startswith("swapper"):
            self.idle += 1
            return
        thread, counts = self._thread(one)
        t_ns = self._time(one)
        stack = self._tables.stack(one.frames)
        if one.event == self.main and counts:
            weight = one.period if one.period is not None else NOMINAL_WEIGHT
            if weight > LARGEST_WEIGHT:
                raise UnreadableLine(one.line, f"no period: {one.period}")
            self._tables.sample("cpu_samples", t_ns, thread, max(1, weight), stack, self._source)
        elif "sched_switch" in one.event:
            state = self._tables.word(one.state or "S")
            self._tables.sample("switch_samples", t_ns, thread, state, stack, self._tables.word("perf sched_switch"))
        else:
            count = one.period if one.period is not None else 1
            event = self._tables.word(one.event)
            self._tables.sample("event_samples", t_ns, thread, event, count, stack, self._tables.word("perf script"))

    def _thread(self, one: PerfSample) -> tuple[int, bool]:
        key = (one.comm if one.pid is None else "", one.pid, one.tid)
        found = self._threads.get(key)
        if found is None:
            # Without a pid the threads of one program can't be told from several of the same name.
            process = self._tables.process(one.pid, one.comm or None)
            thread = self._tables.thread(process, str(one.tid), one.tid if one.tid >= 0 else None, one.comm or None)
            found = self._threads[key] = (thread, self._incident.takes_cpu_of(process, "perf"))
        return found

    def _time(self, one: PerfSample) -> int:
        if one.t_ns is None:
            self.untimed += 1
            self._number += 1
            return self._incident.offset_ns + self._number * NOMINAL_WEIGHT
        if self._shift is None:  # a clock of its own: the first sample stands where the file begins
            self._shift = 0 if self._incident.offset_ns == 0 else self._incident.offset_ns - one.t_ns
        return max(0, one.t_ns + self._shift)


NOMINAL_WEIGHT: Final = 10_000_000


def load_perf_script(lines: Iterator[str], incident: Incident, facts: FileFacts, events: set[str]) -> None:
    """`perf script`, as a stream; `events` are those its head shows, of which one is taken for CPU time."""
    file = PerfFile()
    loader = _PerfLoader(incident, events)
    for one in read_perf_samples(lines, file):
        loader.add(one)
    if not loader.counts:
        raise UnreadableLine(1, "no sample of perf script in it")
    facts.cut_short = file.cut_short
    tables = incident.tables
    incident.cpu_samples |= tables.counts.get("cpu_samples", 0) > 0
    if loader.untimed:
        incident.duration_known = False
    if (
        loader.main in CYCLES
        or loader.untimed
        or (loader.main and loader.weights[loader.main] == loader.counts[loader.main])
    ):
        incident.time_known = False
    if loader.main == NO_EVENT:
        facts.notes.append("its events have no names: they were taken for CPU time")
    if loader.main is None:
        facts.notes.append("none of its events is CPU time: they are kept as events")
    incident.offset_ns = max(incident.offset_ns, tables.end_ns)
    online = file.facts.get("nrcpus online", "")
    if online.isdigit():
        incident.cpus = int(online)
    incident.machine |= {
        key: file.facts[name]
        for key, name in (("kernel", "os release"), ("machine", "arch"), ("cpu", "cpudesc"), ("hostname", "hostname"))
        if name in file.facts
    }
    unit = "ns" if loader.main in NANOSECONDS else loader.main
    facts.figures |= {
        "samples": sum(loader.counts.values()),
        "events": {name: {"samples": n, "total": loader.weights[name]} for name, n in loader.counts.most_common()},
        "cpu_event": loader.main,
        "cpu_unit": unit,
        "lost": file.lost,
        "idle": loader.idle,
        "broken_stacks": loader.broken,
        "command": file.facts.get("cmdline"),
    }
