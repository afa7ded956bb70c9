"""`--collect`, `--preset`, `--deep`: what is measured beyond the timing run, and what it becomes in a recording."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from storeprof.cli.arguments import seconds
from storeprof.errors import UsageError

LIGHT: Final = frozenset({"cpu", "memory"})
PRESETS: Final = {
    "light": LIGHT,
    "standard": LIGHT | {"offcpu", "io"},
    "deep": LIGHT | {"offcpu", "io", "heap", "leaks", "counters", "faults"},
}


def require_linux(command: str) -> None:
    """Raises UsageError on other systems, whose own tools take the observer's place."""
    if sys.platform != "linux":
        raise UsageError(
            f"`{command}` is Linux's; here run scripts/profile_storageimpl.sh, or sample, heap, vmmap and leaks, and "
            "then `storeprof import FILE… --out DIR`"
        )


def add_collecting_options(parser: argparse.ArgumentParser) -> None:
    """The options that choose collectors."""
    parser.add_argument(
        "--collect",
        metavar="WHAT[,WHAT]",
        help="cpu, offcpu, io, memory, heap, leaks, counters, faults, entries=PATTERN (calls and latency of native "
        "functions, as in entries='StorageImpl::*'); what distorts runs in passes of its own, over the same workload",
    )
    parser.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="light: cpu,memory, the default, without privilege and without passes; standard: and offcpu,io; "
        "deep: and heap,leaks,counters,faults",
    )
    parser.add_argument("--deep", action="store_true", help="short for --collect cpu,memory,heap,leaks")
    parser.add_argument(
        "--pass-limit",
        type=seconds,
        metavar="S",
        help="end each pass after S seconds (default: 60 to 900, by the program)",
    )


def collected(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of RecordOptions for what was asked. Raises UsageError for a word that is none."""
    groups, entries = (frozenset[str](), ()) if options.collect is None else _split(options.collect)
    chosen = groups | PRESETS.get(options.preset or "", frozenset())
    if options.deep:
        chosen |= LIGHT | {"heap", "leaks"}
    result: dict[str, Any] = {
        "groups": chosen or LIGHT,
        "entries": entries,
        "pass_limit_s": options.pass_limit,
    }
    # Who names what to collect, and not the CPU, wants no perf beside the program.
    if chosen and "cpu" not in chosen:
        result["use_perf"] = False
    return result


def _split(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    from storeprof.collect.pass_tool import GROUPS

    groups: set[str] = set()
    entries: list[str] = []
    words = [word for word in text.split(",") if word]
    for word in words or [text]:
        name, mark, pattern = word.partition("=")
        if name == "entries" and pattern:
            entries.append(pattern)
        elif mark or name == "entries" or name not in GROUPS:
            known = ", ".join(one for one in GROUPS if one != "entries")
            raise UsageError(
                f"--collect {word!r}: it takes {known} and entries=PATTERN, as in entries='StorageImpl::*'"
            )
        groups.add(name)
    return frozenset(groups), tuple(entries)
