r"""LeakSanitizer: what a program built with -fsanitize=address or =leak says of leaks when it ends.

Grammar of its report (clang, gcc):

    =================================================================
    ==PID==ERROR: LeakSanitizer: detected memory leaks

    Direct leak of 7168 byte(s) in 7 object(s) allocated from:
        #0 0x7f4a in malloc (/usr/lib/libasan.so.8+0xb89ae)
        #1 0x55d1 in kv::Store::insert(int) /src/store.cpp:42:7

    SUMMARY: AddressSanitizer: 7168 byte(s) leaked in 7 allocation(s).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from storeprof.collect.collector import Availability, Context
from storeprof.collect.linux.native_functions import without_arguments
from storeprof.collect.pass_tool import Figure, PassOptions, PassResult, StartsCommand, Target
from storeprof.errors import CollectorError

_TITLE: Final = re.compile(r"==\d+==ERROR: LeakSanitizer: detected memory leaks")
_LEAK: Final = re.compile(r"(Direct|Indirect) leak of (\d+) byte\(s\) in (\d+) object\(s\) allocated from:$")
_PLACE: Final = r"\((?:[^()]|\([^()]*\))*\)(?: \(BuildId: \w+\))?|(\S+?):(\d+)(?::\d+)?|\S+"
_FRAME: Final = re.compile(rf"\s+#\d+ 0x[0-9a-f]+ +(?:in (.+?) )?(?:{_PLACE})$")
_SUMMARY: Final = re.compile(r"SUMMARY: \w+: (\d+) byte\(s\) leaked in (\d+) allocation\(s\)\.")
# The allocator's own frames stand innermost.
_ALLOCATOR: Final = re.compile(
    r"^(malloc|calloc|realloc|memalign|posix_memalign|aligned_alloc|operator new(\[\])?|__interceptor_\w+)$"
)

Stack = tuple[tuple[str, str | None, int | None], ...]


class LeakSanitizer(StartsCommand):
    """The collector `leak-sanitizer`."""

    name = "leak-sanitizer"
    collects = frozenset({"leaks"})
    adds = "programs built with -fsanitize=address or =leak: what nothing points at any more when they end"
    costs = "nothing beyond what the build costs anyway (2 to 3 times slower)"

    def available(self, context: Context) -> Availability:
        """It comes with the build."""
        del context
        return Availability(
            True, "needs a build with -fsanitize=address or -fsanitize=leak", "build with -fsanitize=leak"
        )

    def unfit(self, target: Target) -> str | None:
        """It reads what such builds say."""
        if target.sanitizer not in {"AddressSanitizer", "LeakSanitizer"}:
            return "the program was not built with -fsanitize=address or =leak"
        return super().unfit(target)

    def command(self, options: PassOptions) -> list[str]:
        """COMMAND itself."""
        return list(options.target.command)

    def environment(self, options: PassOptions) -> dict[str, str]:
        """Its report goes into the recording (the runtime adds the pid), and the exit status stays the program's."""
        log = f"log_path={options.output.absolute()}"
        return {"ASAN_OPTIONS": f"detect_leaks=1:{log}", "LSAN_OPTIONS": f"exitcode=0:{log}"}

    def parse(self, output: Path) -> PassResult:
        """Bytes leaked by stack; a program without leaks says nothing."""
        figures: list[Figure] = []
        for path in sorted(output.parent.glob(f"{output.name}.[0-9]*")):
            with open(path, encoding="utf-8", errors="replace") as lines:
                figures += parse_leak_sanitizer(lines)
        leaks = sorted((one for one in figures if one.unit == "bytes"), key=lambda one: -one.value)
        whole = sum(one.value for one in leaks)
        return PassResult([Figure("leaked, all", whole, "bytes", (), "leaks"), *leaks], [])


def parse_leak_sanitizer(lines: Iterable[str]) -> list[Figure]:
    """Leaks in bytes by stack; raises CollectorError for a frame it can't read and sums that do not add up."""
    found: list[Figure] = []
    stack: list[tuple[str, str | None, int | None]] = []
    leak: re.Match[str] | None = None
    seen = False

    def close() -> None:
        nonlocal leak
        if leak:
            name = "leaked" if leak[1] == "Direct" else "leaked indirectly"
            found.append(Figure(name, float(leak[2]), "bytes", _without_allocator(stack), "leaks"))
        leak = None

    for number, line in enumerate(lines, 1):
        seen = seen or bool(_TITLE.search(line))
        begins, summary = _LEAK.match(line), _SUMMARY.match(line)
        if begins or summary or not line.strip():
            close()
        if begins:
            leak, stack = begins, []
        elif leak and line.strip():
            frame = _FRAME.match(line.rstrip("\n"))
            if not frame and line.endswith("\n"):
                raise CollectorError(f"LeakSanitizer's report, line {number}: no frame: {line.strip()[:100]!r}")
            if frame:
                place = without_arguments(frame[1]) if frame[1] else "[unknown]"
                stack.append((place, frame[2], int(frame[3]) if frame[3] else None))
        if summary and seen and sum(one.value for one in found) != int(summary[1]):
            raise CollectorError(
                f"LeakSanitizer's report, line {number}: {summary[1]} bytes leaked, and its leaks add up to "
                f"{sum(one.value for one in found):.0f}"
            )
    close()
    return found


def _without_allocator(stack: list[tuple[str, str | None, int | None]]) -> Stack:
    own = 0
    while own < len(stack) - 1 and _ALLOCATOR.match(stack[own][0]):
        own += 1
    return tuple(stack[own:])
