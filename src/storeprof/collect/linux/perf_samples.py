r"""`perf script` of any version and any machine, as a stream of samples: what was recorded elsewhere.

`perf_script` reads what our own perf prints, with addresses to resolve on this machine. This one takes what people
bring: default fields of every version, without times, processors or periods where those were left out, with inlined
frames, `perf report`-like headers, addresses without symbols; and it keeps nothing but a bounded cache of lines.

    file    = { "#" comment | PERF_RECORD_… | sample }
    sample  = head [ frame | trace ] { blanks frame [ blanks source ":" line ] } blank
    head    = comm [ pid "/" ] tid [ "[" cpu "]" ] [ seconds "." fraction ":" ] [ period ] event ":"
            | [ comm ] [ pid "/" ] tid [ "[" cpu "]" ] seconds "." fraction ":"                (-F without event)
    frame   = address [ symbol [ "+0x" offset ] ] [ "(" dso ")" ]

Frames stand innermost first. The dso is what the last bracket of a line holds, balanced: symbols and paths may have
brackets, too. Where an event has no name it is called `samples`. `[unknown] ([unknown])` is what a frame-pointer walk
makes up: it and everything above it is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from storeprof.collect.linux.perf_script import KERNEL_BIT, plain_symbol
from storeprof.collect.tool_output import CutShort, Frame, Lines

MOST_CACHED: Final = 100_000
MOST_FRAMES: Final = 10_000
NANOSECONDS: Final = frozenset({"cpu-clock", "task-clock"})
CYCLES: Final = frozenset({"cycles", "cpu-cycles", "ref-cycles"})
_HEADER: Final = re.compile(
    r"\s*(?P<comm>\S.*?)\s+(?:(?P<pid>-?\d+)/)?(?P<tid>-?\d+)(?:\s+\[(?P<cpu>\d+)\])?"
    r"(?:\s+(?P<s>\d{1,11})\.(?P<f>\d{1,9}):)?(?:\s+(?P<period>\d{1,18}))?\s+(?P<event>[^\s:]\S*?):(?=\s|$)\s*(?P<rest>.*)"
)
_EVENTLESS: Final = re.compile(
    r"\s*(?:(?P<comm>\S.*?)\s+)??(?:(?P<pid>-?\d+)/)?(?P<tid>-?\d+)(?:\s+\[(?P<cpu>\d+)\])?"
    r"\s+(?P<s>\d{1,11})\.(?P<f>\d{1,9}):\s*(?P<rest>[0-9a-f]{1,16}\s.*)?"
)
NO_EVENT: Final = "samples"
_FRAME: Final = re.compile(r"\s*(?P<address>[0-9a-f]{1,16})(?:\s(?P<symbol>.*))?")
_WHOLE: Final = re.compile(r"\s+[0-9a-f]{1,16}\s.* \([/\[][^()]*\)")
_STARTS: Final = re.compile(r"\s*[0-9a-f]{1,16}\s")
_INDENTED: Final = re.compile(r"\s|[0-9a-f]{8,16}\s")
_PAST: Final = re.compile(r"\+0x[0-9a-f]+$")
_SOURCE_LINE: Final = re.compile(
    r"\s+(?:(?P<file>\S.*)?:(?P<line>\d{1,9})(?: \(inlined\))?|[^\s\[]*(?:\[[^\s\]]*\])?\[[0-9a-f]{1,16}\])$"
)
# A frame without a binary; with a half one it is damaged.
_BARE: Final = re.compile(r"\s*[0-9a-f]{1,16}\s(?!.* \([/\[][^)]*$).*\S")
_STATE: Final = re.compile(r"prev_state=(\S)\S* ==> ")
_FACT: Final = re.compile(r"#\s*(?P<key>[a-z ]+?)\s*:\s*(?P<value>.+)")
_LOST: Final = re.compile(r"PERF_RECORD_LOST(?:_SAMPLES)? lost (\d+)")
_NOT_KERNEL: Final = ("[unknown]", "[vdso]", "[vsyscall]", "[heap]", "[stack", "[JIT]", "[anon", "[uprobes]", "[.")
_COMPLETE: Final = re.compile(
    r"(_start|main|__libc_start\w*|libc_start_main\w*|start_thread|thread_start|__?_?clone3?|ret_from_fork\w*|"
    r"_dl_start_user|runtime\.(goexit|mstart|rt0_go).*|entry_SYSCALL_64\w*|secondary_startup\w*|\[unknown\])$"
)


@dataclass(frozen=True, slots=True)
class PerfSample:
    """One sample: frames leaf first; None (or no `comm`) where the output has no such field.

    `state`: of a sched_switch.
    """

    comm: str
    pid: int | None
    tid: int
    t_ns: int | None
    period: int | None
    event: str
    frames: tuple[Frame, ...]
    broken: bool
    state: str = ""
    line: int = 0


@dataclass(slots=True)
class PerfFile:
    """What is known of the whole once it was read: the comments of the head, lost samples, how it ended."""

    facts: dict[str, str] = field(default_factory=dict)
    lost: int = 0
    cut_short: CutShort | None = None


def event_name(event: str) -> str:
    """An event without unit and modifiers: `cpu_core/cycles/u`, `cycles:uppp`, `cpu-clock:pppH` -> its name."""
    inner = event.split("/")[1] if event.count("/") >= 2 else event
    name, _, rest = inner.partition(":")
    plain = bool(re.fullmatch(r"[ukhGHpPIDSWe]*", rest))
    return (name if plain else inner).split(",")[0]


def header_event(line: str) -> str | None:
    """The event of a line that could begin a sample; None for any other line."""
    found = None if line.startswith("#") or "PERF_RECORD_" in line else _header(line)
    return _event(found) if found else None


def _header(line: str) -> re.Match[str] | None:
    return _HEADER.fullmatch(line) or _EVENTLESS.fullmatch(line)


def _event(header: re.Match[str]) -> str:
    return event_name(header["event"]) if "event" in header.re.groupindex else NO_EVENT


def has_frame(line: str) -> bool:
    """Whether the head of a sample has its only frame on its own line."""
    found = _header(line)
    return found is not None and _own_frame(found) is not None


def _own_frame(header: re.Match[str]) -> str | None:
    rest = header["rest"] or ""
    traced = ":" in _event(header)  # a tracepoint's fields
    return rest if _STARTS.match(rest) and (rest.endswith(")") or (not traced and _BARE.fullmatch(rest))) else None


def read_perf_samples(source: Iterable[str], file: PerfFile) -> Iterator[PerfSample]:
    """Yield the samples of `perf script`; raises UnreadableLine for a line that is none. `file` is filled meanwhile."""
    reader = _Reader(Lines(source), file)
    yield from reader.samples()


class _Reader:
    def __init__(self, lines: Lines, file: PerfFile) -> None:
        self._lines = lines
        self._file = file
        self._cache: dict[str, Frame | None] = {}
        self._header: re.Match[str] | None = None
        self._header_line = 0
        self._frames: list[Frame | None] = []

    def samples(self) -> Iterator[PerfSample]:
        count = 0
        for line in self._lines:
            if not line.strip():
                if not (self._header and not self._frames and self._frame_follows()):
                    yield from self._done()
            elif line.startswith("#"):
                self._comment(line)
            elif "PERF_RECORD_" in line:
                lost = _LOST.search(line)
                self._file.lost += int(lost[1]) if lost and len(lost[1]) < 12 else 0
            elif self._header is not None and _INDENTED.match(line) and self._is_frame(line):
                self._frames.append(self._frame(line))
                if len(self._frames) > MOST_FRAMES:
                    raise self._lines.wrong(f"a stack of more than {MOST_FRAMES} frames")
            else:
                yield from self._done()
                self._begin(line)
                count += 1
        yield from self._last(count)

    def _last(self, count: int) -> Iterator[PerfSample]:
        """The last sample, unless the file ends in it."""
        ending = self._lines.unended
        if ending is not None and self._header is not None and _WHOLE.fullmatch(ending):
            self._frames.append(self._frame(ending))
            self._lines.unended = None
        outermost = self._frames[-1] if self._frames else None
        whole = self._lines.unended is None and (
            self._header is None
            or _own_frame(self._header) is not None
            or (bool(self._frames) and (outermost is None or _COMPLETE.match(outermost.function)))
        )
        if whole:
            yield from self._done()
        elif count:
            self._file.cut_short = CutShort(self._lines.number, "the sample that it ends in was left out")

    def _comment(self, line: str) -> None:
        found = _FACT.match(line)
        if found and len(self._file.facts) < 40:
            self._file.facts.setdefault(found["key"], found["value"].strip())

    def _begin(self, line: str) -> None:
        found = _header(line)
        if found is None:
            raise self._lines.wrong("no sample of perf script", line)
        if any(len(found[name] or "") > 10 for name in ("pid", "tid")):
            raise self._lines.wrong("no number of a process or thread", line)
        self._header, self._header_line = found, self._lines.number
        own = _own_frame(found)
        if own is not None:
            self._frames.append(self._frame(own))

    def _done(self) -> Iterator[PerfSample]:
        found = self._header
        if found is None:
            return
        frames = self._frames
        self._header, self._frames = None, []
        made_up = None in frames
        if made_up:
            frames = frames[: frames.index(None)]
        t_ns = int(found["s"]) * 1_000_000_000 + int(found["f"].ljust(9, "0")) if found["s"] else None
        event = _event(found)
        state = _STATE.search(found["rest"] or "") if "sched_switch" in event else None
        period = found["period"] if event != NO_EVENT else None
        yield PerfSample(
            comm=found["comm"] or "",
            pid=int(found["pid"]) if found["pid"] else None,
            tid=int(found["tid"]),
            t_ns=t_ns,
            period=int(period) if period else None,
            event=event,
            frames=tuple(frame for frame in frames if frame is not None),
            broken=made_up,
            state=state[1] if state else "",
            line=self._header_line,
        )

    def _frame_follows(self) -> bool:
        """Some versions leave a line blank between a sample and its stack."""
        following = self._lines.peek()
        return bool(following and re.match(r"\s+[0-9a-f]{1,16}\s.*\)$", following)) and _header(following or "") is None

    def _is_frame(self, line: str) -> bool:
        if line in self._cache:
            return True
        if _header(line) is not None:
            return False
        if (line.endswith(")") and _STARTS.match(line)) or (self._frames and _SOURCE_LINE.fullmatch(line)):
            return True
        if _BARE.fullmatch(line):
            return True
        if line[0] == "\t" or _FRAME.fullmatch(line.split(" (", maxsplit=1)[0]):
            raise self._lines.wrong("no frame of a stack", line)
        return False

    def _frame(self, line: str) -> Frame | None:
        if line in self._cache:
            return self._cache[line]
        if (source := _SOURCE_LINE.fullmatch(line)) and self._frames and not _STARTS.match(line):
            before = self._frames.pop()
            known = before is not None and source["file"] not in (None, "", "??")
            return replace(before, file=source["file"], line=int(source["line"])) if before and known else before
        frame = _read_frame(line, self._lines)
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        self._cache[line] = frame
        return frame


def _read_frame(line: str, lines: Lines) -> Frame | None:
    """The frame on a line; None for an address that lies in no mapping."""
    opened = _opening(line) if re.search(r" \((?!inlined\))[^()]*\)$| \([/\[].*\)$", line) else -1
    found = _FRAME.fullmatch(line[:opened].rstrip() if opened > 0 else line.removesuffix(" (inlined)").rstrip())
    if found is None:
        raise lines.wrong("no frame of a stack", line)
    dso = line[opened + 1 : -1] if opened > 0 else None
    symbol = _PAST.sub("", found["symbol"] or "").strip()
    if symbol == "[unknown]" and dso == "[unknown]":
        return None
    address = int(found["address"], 16)
    kernel = address >= KERNEL_BIT or (dso is not None and _is_kernel(dso))
    name = plain_symbol(symbol) if symbol and symbol != "[unknown]" else symbol or f"0x{address:x}"
    return Frame(name, dso, kind="kernel" if kernel else "native")


def _is_kernel(dso: str) -> bool:
    if dso.startswith("["):
        return not dso.startswith(_NOT_KERNEL)
    return dso.endswith(".ko") or ".ko." in dso[-8:] or re.search(r"(^|/)vmlinux[^/]*$", dso) is not None


def _opening(line: str) -> int:
    """Where the bracket opens that the line's last letter closes; -1 when it doesn't."""
    depth = 0
    for at in range(len(line) - 1, -1, -1):
        depth += (line[at] == ")") - (line[at] == "(")
        if depth == 0:
            return at
    return -1
