r"""`dtrace`: stacks with counts, aggregations, and distributions, among whatever else a script prints.

    stack  = { key | frame | blank } count          (a kernel stack may stand before the user's, in one block)
    frame  = blanks module "`" symbol [ "+0x" offset ] | blanks "0x" address
           | blanks "[ " file ":" line " (" function ") ]" | blanks symbol          (of a language's helper: Java)
    row    = key { key } value                      (@[probefunc] = count(), sum() of nanoseconds …)
    hot    = [ module "`" ] symbol count percent "%"    (hotkernel, hotuser)
    spread = [ key ] "value  ------------- Distribution ------------- count" { low "|" bar count }

Scripts print what they like, so a line that is none of these is a remark and not an error; `unread` counts them. A
count ends a block: one that ends with the file instead was cut short.

At a sample a thread's innermost function has hardly ever just begun (no "+0x"). Where it always has, while its callers
stand at offsets, a probe on entries fired: what is counted is calls, not time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from storeprof.collect.collector import Availability, Context
from storeprof.collect.macos.tool import mac_tool
from storeprof.collect.tool_output import CutShort, Frame, Lines, UnreadableLine

# A Mac's clock ticks at 24 MHz on Apple silicon: times from dtrace come in steps of 41.7 ns, and shorter ones are 0.
TICK_NS: Final = 1e9 / 24e6
_FRAME: Final = re.compile(r"\s+(?P<module>[^\s`]+)`(?P<symbol>\S.*?)(?P<past>\+0x[0-9a-f]+)?\s*")
_ADDRESS: Final = re.compile(r"\s+(?P<address>0x[0-9a-f]{1,16})\s*")
_PYTHON: Final = re.compile(r"\s+\[ (?P<file>\S.*?):(?P<line>\d{1,9}) \((?P<function>.*)\) \]\s*")
_BARE: Final = re.compile(r"(?P<indent>\s{14,})(?P<symbol>\S+(?: \S+)*?)(?:\+0x[0-9a-f]+)?\s*")
_HOT: Final = re.compile(r"\s*(?:(?P<module>[^\s`]+)`)?(?P<symbol>\S+)\s+(?P<count>\d+)\s+\d+\.\d%\s*")
_HOT_HEAD: Final = re.compile(r"\s*FUNCTION\s+COUNT\s+PCNT\s*")
_COUNT: Final = re.compile(r"\s+(?P<count>\d+)\s*")
_ROW: Final = re.compile(r"\s*(?P<key>[^\s#].*?)(?:\s{2,}|\t\s*)(?P<value>-?\d+)\s*")
# A string has two blanks before it, an integer as many as fill its column; the value ends its own, of 16 characters.
_OWN_ROW: Final = re.compile(r"(?:  \S| +\d).{17,} -?\d+")
_INDENT: Final = re.compile(r"\s{8,}\S")
_SPREAD: Final = re.compile(r"\s*value\s+-+ Distribution -+ count\s*")
_BUCKET: Final = re.compile(r"\s*(?P<sign><=? *|>=? *|< |>= )?(?P<low>-?\d+)\s*\|(?P<bar>[@ ]*)\s*(?P<count>\d+)\s*")
_PROBE: Final = re.compile(r"\s*\d+\s+\d+\s+\S*:\S*(\s|$)")
_HEAD: Final = re.compile(r"\s*CPU\s+ID\s+FUNCTION:NAME")
_DTRUSS: Final = re.compile(
    r"\s*(?:\d+/(?:0x)?[0-9a-f]+:\s+)?(?:\d+\s+){0,3}(?P<call>[a-z_]\w*)\(.*\)\s*=\s*(?P<result>-?\w+)\s+(?P<error>Err#\d+|-?\d+)"
)
_ENTRY: Final = re.compile(r"\s*-> (?P<function>[\w:.$~<>@]+)\(.*")
_TABLE: Final = re.compile(r"\s*(?:\S+ ){0,6}.*?\b(?P<unit>COUNT|TIME \(ns\)|ELAPSED|CPU|PERCENT|TOTAL|MAX|AVG)\s*$")
_DROPS: Final = re.compile(r"dtrace: (?P<count>\d+) .*drops? ")
_KERNEL: Final = re.compile(r"^(unix|genunix|mach_kernel|kernel(\..*)?|com\.apple\..*|.*\.kext)$")
_MARKS: Final = re.compile(
    r"Tracing\.\.\. ?(Hit|Ctrl)|^\s*dtrace: (description|script) |^\s*CPU\s+ID\s+FUNCTION:NAME|Sampling at \d+ hertz"
)


@dataclass(frozen=True, slots=True)
class DtraceOptions:
    """What to trace of one process for how long.

    `what`: "profile" (stacks of running threads, 997 a second), "entries" (calls of functions that match `pattern`),
    "syscalls" (latency of system calls) or "io" (latency of block I/O, of the whole system).
    """

    pid: int
    what: Literal["profile", "entries", "syscalls", "io"] = "profile"
    seconds: int = 10
    pattern: str = "*"


@dataclass(frozen=True, slots=True)
class CountedStack:
    """A stack (leaf first) with its count, and what else the aggregation was keyed by."""

    frames: tuple[Frame, ...]
    count: int
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One value of an aggregation; `unit` is the head of its column, where the script printed one."""

    key: str
    value: int
    unit: str | None = None


@dataclass(slots=True)
class Spread:
    """A distribution: (low, high, count) per bucket, and its key or stack."""

    key: str | None
    frames: tuple[Frame, ...]
    buckets: list[tuple[float, float, int]] = field(default_factory=list)


@dataclass(slots=True)
class DtraceOutput:
    """Everything that was found; `calls` are single calls of dtruss (name -> calls, errors)."""

    stacks: list[CountedStack] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    calls: dict[str, tuple[int, int]] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    drops: int = 0
    unread: int = 0
    counts_calls: bool = False  # the stacks are those of a probe on function entries
    cut_short: CutShort | None = None


class Dtrace:
    """The collector `dtrace`: root; and no System Integrity Protection for Apple's own and hardened programs."""

    name = "dtrace"

    def available(self, context: Context) -> Availability:
        """Whether this is a Mac and we are root."""
        return mac_tool(
            "dtrace",
            needs_root=True,
            hint="not Apple's own programs, unless in recovery: csrutil enable --without dtrace",
        )

    def command(self, options: DtraceOptions) -> list[str]:
        """Build `dtrace -n PROGRAM`, which ends by itself; times are nanoseconds in steps of `TICK_NS`."""
        argv = ["dtrace", "-q", "-x", "ustackframes=100", "-p", str(options.pid)]
        return [*argv, "-n", _program(options)]

    def parse(self, output: Iterable[str]) -> DtraceOutput:
        """Read the output; raises UnreadableLine where it holds nothing that can be read."""
        return parse_dtrace(output)


def _program(options: DtraceOptions) -> str:
    end = f" tick-{options.seconds}s {{ exit(0); }}"
    if options.what == "profile":
        return "profile-997 /pid == $target/ { @[ustack()] = count(); }" + end
    if options.what == "entries":
        return f"pid$target::{options.pattern}:entry {{ @[probefunc] = count(); }}" + end
    if options.what == "syscalls":
        return (
            "syscall:::entry /pid == $target/ { self->began = timestamp; } "
            "syscall:::return /self->began/ { @[probefunc] = quantize(timestamp - self->began); self->began = 0; }"
            + end
        )
    return (
        "io:::start { began[arg0] = timestamp; } "
        'io:::done /began[arg0]/ { @[args[0]->b_flags & B_READ ? "read" : "write"] = '
        "quantize(timestamp - began[arg0]); began[arg0] = 0; }" + end
    )


def looks_like_dtrace(head: Iterable[str]) -> bool:
    """Whether a head has what dtrace prints: its titles, a distribution, or frames and their count."""
    frames = 0
    for line in head:
        if _MARKS.search(line) or _SPREAD.fullmatch(line):
            return True
        if re.match(r"\s*(SYSCALL\(args\)|CALL\(args\)|PID/LWP|PID/THRD)\s", line) or _HOT_HEAD.fullmatch(line):
            return True
        if re.fullmatch(r"\s*(PID|CALL|SYSCALL|UID|EXECNAME|CMD)\b.*\b(COUNT|TIME \(ns\))\s*", line):
            return True
        if re.fullmatch(r"\s*[A-Z]{2,}\s{2,}(COUNT|TIME \(ns\))\s*", line):
            return True
        if _FRAME.fullmatch(line):
            frames += 1
        elif frames and _COUNT.fullmatch(line):
            return True
    return False


def looks_like_aggregation(head: Iterable[str]) -> bool:
    """Whether a head is nothing but rows in the format that dtrace prints by itself: values end in one column."""
    lines = [line.rstrip() for line in head if line.strip() and not line.startswith(("^C", "dtrace: "))]
    rows = [line for line in lines if _OWN_ROW.fullmatch(line) and len(re.findall(r" {2}-?\d+(?= |$)", line)) <= 2]
    return bool(rows) and len(rows) == len(lines) and len({len(line) for line in rows}) == 1


def parse_dtrace(source: Iterable[str]) -> DtraceOutput:
    """Read what dtrace printed; raises UnreadableLine where nothing in it can be read."""
    reader = _Reader(Lines(source))
    return reader.read()


class _Reader:
    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._out = DtraceOutput()
        self._section: list[Frame] = []
        self._frames: list[Frame] = []
        self._keys: list[str] = []
        self._unit: str | None = None
        self._cut = False
        self._beside = False  # the line before was a frame
        self._leaf_begins = False
        self._begun = 0  # stacks whose innermost function has just begun
        self._offsets = 0

    def read(self) -> DtraceOutput:
        for line in self._lines:
            if not line.strip():
                self._end_section()
                self._beside = False
            elif self._in_block(line):
                self._beside = bool(self._section)
            elif not self._other(line):
                self._check_beside(line)
                self._out.unread += 1
                self._clear()
                self._keys = [line.strip()]
                self._beside = False
        self._end_section()
        out = self._out
        if self._cut or self._frames or self._lines.unended is not None:
            out.cut_short = CutShort(self._lines.number, "the stack or distribution that it ends in was left out")
        out.counts_calls = 0 < self._begun == len(out.stacks) and self._offsets > 0
        if not (out.stacks or out.rows or out.spreads or out.calls or out.entries):
            raise UnreadableLine(max(1, self._lines.number), "no stack, aggregation or distribution of dtrace in it")
        return out

    def _in_block(self, line: str) -> bool:
        if found := _HOT.fullmatch(line):
            leaf = Frame(found["symbol"], found["module"])
            self._out.stacks.append(CountedStack((leaf,), self._number(found["count"], line)))
            return True
        frame = _frame(line)
        if frame is not None:
            past = "+0x" in line
            if not (self._section or self._frames):
                self._leaf_begins = not past and frame.image is not None
            self._offsets += past
            self._section.append(frame)
            return True
        if (bare := _BARE.fullmatch(line)) and not _COUNT.fullmatch(line) and self._among_frames(bare["indent"]):
            self._section.append(Frame(bare["symbol"]))
            return True
        if (self._frames or self._section) and (found := _COUNT.fullmatch(line)):
            self._end_section()
            count = self._number(found["count"], line)
            key = " ".join(self._keys) or None
            self._out.stacks.append(CountedStack(tuple(self._frames), count, key))
            self._begun += self._leaf_begins
            self._clear()
            return True
        if _SPREAD.fullmatch(line):
            self._end_section()
            self._spread()
            return True
        return False

    def _among_frames(self, indent: str) -> bool:
        """Whether a line without a module stands in a stack: next to a frame, or to another such line, as far in."""
        if self._section:
            return True
        following = self._lines.peek() or ""
        beside = _BARE.fullmatch(following)
        return beside is not None and beside["indent"] == indent and not _COUNT.fullmatch(following)

    def _check_beside(self, line: str) -> None:
        """A line that is indented as a frame, next to a frame, and none: the stack would lack it."""
        following = self._lines.peek()
        if _INDENT.match(line) and (self._beside or (following is not None and _frame(following) is not None)):
            raise self._lines.wrong("neither a frame nor a count, in a stack", line)

    def _other(self, line: str) -> bool:
        out = self._out
        if _HEAD.match(line) or _PROBE.match(line):
            self._clear()
        elif found := _DROPS.match(line):
            out.drops += self._number(found["count"], line)
        elif found := _DTRUSS.match(line):
            calls, errors = out.calls.get(found["call"], (0, 0))
            failed = found["error"].startswith("Err#") or found["result"] == "-1"
            out.calls[found["call"]] = (calls + 1, errors + failed)
        elif found := _ENTRY.match(line):
            out.entries[found["function"]] = out.entries.get(found["function"], 0) + 1
        elif (found := _ROW.fullmatch(line)) and not self._frames and "|" not in line:
            key = re.sub(r"\s{2,}", "  ", found["key"])
            out.rows.append(Row(key, self._number(found["value"], line), self._unit))
            self._keys = []
        elif (found := _TABLE.fullmatch(line)) and line.strip().upper()[:6] == line.strip()[:6]:
            self._unit = found["unit"]
        else:
            return False
        return True

    def _number(self, text: str, line: str) -> int:
        if len(text) > 19 or not -(1 << 63) <= int(text) < 1 << 63:
            raise self._lines.wrong("no count", line)
        return int(text)

    def _end_section(self) -> None:
        """A kernel stack ends in a kernel module, which marks all of it, whatever its modules are called."""
        section, self._section = self._section, []
        if section and _KERNEL.match(section[-1].image or ""):
            section = [replace(frame, kind="kernel") for frame in section]
        self._frames += section

    def _clear(self) -> None:
        self._frames, self._section, self._keys, self._leaf_begins = [], [], [], False

    def _spread(self) -> None:
        spread = Spread(" ".join(self._keys) or None, tuple(self._frames))
        values: list[tuple[int, int]] = []
        while (line := self._lines.peek()) is not None and (found := _BUCKET.fullmatch(line)):
            next(self._lines)
            values.append((self._number(found["low"], line), self._number(found["count"], line)))
        if values and "|" in (self._lines.peek() or ""):
            raise self._lines.wrong("no row of a distribution", self._lines.peek())
        if self._lines.peek() is None:  # a blank line ends a distribution
            self._cut = True
        elif values:
            highs = [float(low) for low, _ in values[1:]] + [float("inf")]
            spread.buckets = [
                (float(low), high, count) for (low, count), high in zip(values, highs, strict=True) if count
            ]
            self._out.spreads.append(spread)
        self._clear()


def _frame(line: str) -> Frame | None:
    if found := _FRAME.fullmatch(line):
        return Frame(found["symbol"], found["module"])
    if found := _ADDRESS.fullmatch(line):
        return Frame(found["address"])
    if found := _PYTHON.fullmatch(line):
        return Frame(found["function"], None, found["file"], int(found["line"]), "python")
    return None
