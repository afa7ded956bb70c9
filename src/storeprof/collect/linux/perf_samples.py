r"""`perf script` of any version and any machine, as a stream of samples: what was recorded elsewhere.

`perf_script` reads what our own perf prints, with addresses to resolve on this machine. This one takes what people
bring: default fields of every version, without times, processors or periods where those were left out, with inlined
frames, `perf report`-like headers, addresses without symbols; and it keeps nothing but a bounded cache of lines.

    file    = { "#" comment | PERF_RECORD_… | sample }
    sample  = comm [ pid "/" ] tid [ "[" cpu "]" ] [ seconds "." fraction ":" ] [ period ] event ":" [ frame | trace ]
              { blanks frame } blank
    frame   = address [ symbol [ "+0x" offset ] ] "(" dso ")"

Frames stand innermost first. The dso is what the last bracket of a line holds, balanced: symbols and paths may have
brackets, too. `[unknown] ([unknown])` is what a frame-pointer walk makes up: it and everything above it is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
_FRAME: Final = re.compile(r"\s*(?P<address>[0-9a-f]{1,16})(?:\s(?P<symbol>.*))?")
_WHOLE: Final = re.compile(r"\s+[0-9a-f]{1,16}\s.* \([/\[][^()]*\)")
_STARTS: Final = re.compile(r"\s*[0-9a-f]{1,16}\s")
_INDENTED: Final = re.compile(r"\s|[0-9a-f]{8,16}\s")
_PAST: Final = re.compile(r"\+0x[0-9a-f]+$")
_SOURCE_LINE: Final = re.compile(r"\s+\S.*:\d+$")
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
    """One sample: frames leaf first; None where the output has no such field. `state`: of a sched_switch."""

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
    found = None if line.startswith("#") else _HEADER.fullmatch(line)
    return event_name(found["event"]) if found else None


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
            self._header is None or (bool(self._frames) and (outermost is None or _COMPLETE.match(outermost.function)))
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
        found = _HEADER.fullmatch(line)
        if found is None:
            raise self._lines.wrong("no sample of perf script", line)
        if any(len(found[name] or "") > 10 for name in ("pid", "tid")):
            raise self._lines.wrong("no number of a process or thread", line)
        self._header, self._header_line = found, self._lines.number
        if found["rest"].endswith(")") and _STARTS.match(found["rest"]) and self._is_frame(found["rest"]):
            self._frames.append(self._frame(found["rest"]))

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
        state = _STATE.search(found["rest"]) if "sched_switch" in found["event"] else None
        yield PerfSample(
            comm=found["comm"],
            pid=int(found["pid"]) if found["pid"] else None,
            tid=int(found["tid"]),
            t_ns=t_ns,
            period=int(found["period"]) if found["period"] else None,
            event=event_name(found["event"]),
            frames=tuple(frame for frame in frames if frame is not None),
            broken=made_up,
            state=state[1] if state else "",
            line=self._header_line,
        )

    def _frame_follows(self) -> bool:
        """Some versions leave a line blank between a sample and its stack."""
        following = self._lines.peek()
        return following is not None and following.endswith(")") and bool(re.match(r"\s+[0-9a-f]{1,16}\s", following))

    def _is_frame(self, line: str) -> bool:
        if line in self._cache:
            return True
        if line.endswith(")") and _STARTS.match(line):
            return True
        if _SOURCE_LINE.match(line) and self._frames and _HEADER.fullmatch(line) is None:
            return True
        if line[0] == "\t" or _FRAME.fullmatch(line.split(" (", maxsplit=1)[0]):
            raise self._lines.wrong("no frame of a stack", line)
        return False

    def _frame(self, line: str) -> Frame | None:
        if line in self._cache:
            return self._cache[line]
        if not line.endswith(")"):  # a source line: it belongs to the frame before
            return self._frames.pop()
        frame = _read_frame(line, self._lines)
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        self._cache[line] = frame
        return frame


def _read_frame(line: str, lines: Lines) -> Frame | None:
    """The frame on a line; None for an address that lies in no mapping."""
    opened = _opening(line)
    found = _FRAME.fullmatch(line[:opened].rstrip()) if opened > 0 else None
    if found is None:
        raise lines.wrong("no frame of a stack", line)
    dso = line[opened + 1 : -1]
    symbol = _PAST.sub("", found["symbol"] or "").strip()
    if symbol == "[unknown]" and dso == "[unknown]":
        return None
    address = int(found["address"], 16)
    kernel = address >= KERNEL_BIT or _is_kernel(dso)
    name = plain_symbol(symbol) if symbol and symbol != "[unknown]" else symbol or f"0x{address:x}"
    return Frame(name, None if dso == "inlined" else dso, kind="kernel" if kernel else "native")


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
