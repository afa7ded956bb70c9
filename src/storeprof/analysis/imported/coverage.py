"""What was looked at in an imported recording: by which files, and what none of them tells."""

from __future__ import annotations

from typing import Any

from storeprof.analysis.accounting.charges import CPU
from storeprof.analysis.context import Context
from storeprof.analysis.coverage import Covered, placed_share
from storeprof.analysis.imported.recording import imported

WAITS = ("lock-contention", "io-wait", "network-wait", "dependency-wait", "sleep-wait", "gil-contention")
_FINDS_LEAKS = ("leaks", "valgrind XML", "heaptrack_print", "xctrace XML")
_SAMPLE = "import a `sample` or spindump of the same process too, or record with storeprof"
_NOT_IN_FILES = "nothing in the imported files tells"


def cover_imported(context: Context, kinds: list[str]) -> list[Covered]:
    """The rows of all kinds, by what the files hold."""
    found = imported(context.recording)
    assert found is not None
    formats = [row["format"] for row in found["files"]]
    by = ", ".join(dict.fromkeys(formats))
    return [_covered(context, kind, found, by, formats) for kind in kinds]


def _covered(context: Context, kind: str, found: dict[str, Any], by: str, formats: list[str]) -> Covered:
    if kind == "cpu-hotspot":
        return _covered_cpu(context, found, by)
    if kind in WAITS and found["wall_samples"]:
        reason = "waits are told from the innermost symbols; file system calls count as waits for the disk"
        return Covered(kind, True, f"imported: {by}", reason, None)
    if kind in WAITS:
        return Covered(kind, False, None, "the imported files have no samples of waiting threads", _SAMPLE)
    if kind != "memory-leak":
        return Covered(kind, False, None, _NOT_IN_FILES, "record with storeprof: storeprof record -- COMMAND")
    tools = list(dict.fromkeys(one for one in formats if one in _FINDS_LEAKS))
    if tools:
        return Covered(kind, True, f"imported: {', '.join(tools)}", None, None)
    return Covered(
        kind, False, None, f"{_NOT_IN_FILES} what leaks", "import the output of leaks, or of valgrind --xml=yes"
    )


def _covered_cpu(context: Context, found: dict[str, Any], by: str) -> Covered:
    kind = "cpu-hotspot"
    if not (found["wall_samples"] or found["cpu_samples"]):
        return Covered(kind, False, None, f"no profile of CPU time among the files ({by})", _SAMPLE)
    placed = placed_share(context, CPU)
    if placed is not None and placed < 0.9:
        reason = f"{1 - placed:.0%} of CPU time has no place: code without symbols"
        return Covered(kind, False, None, reason, "symbolicate the file, or build with symbols and record again")
    return Covered(kind, True, f"imported: {by}", _states(found), None)


def _states(found: dict[str, Any]) -> str | None:
    """What to know of CPU time that was told from symbols."""
    if found["wall_samples"]:
        return "a thread that waits in no known system call counts as running, whether it had a CPU or not"
    return None


def why_nothing_to_judge(context: Context) -> str | None:
    """Why an imported recording without samples can't be judged; None when it has some, or is our own."""
    found = imported(context.recording)
    if found is None or len(context.looks):
        return None
    names = ", ".join(dict.fromkeys(row["format"] for row in found["files"]))
    return f"can't tell where time goes: the imported files ({names}) have no samples of it; {_SAMPLE}"
