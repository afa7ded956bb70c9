"""What peers name: each runs a program and its functions by own time are read as findings.

Peers give no verdict and know one kind. Their functions are taken as cpu-hotspots, from a tenth of the time on as
bottlenecks, which is how people read a profile.
"""

from __future__ import annotations

import json
import pstats
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from accuracy.running import Prepared

Weights = Counter[tuple[str, str, int]]  # function, file, line -> own time in any unit
SHOWN = 12


@dataclass(frozen=True)
class Peer:
    """A profiler: its command around a program, how its output is read, and which programs it can run."""

    languages: tuple[str, ...]
    command: Callable[[Path, list[str], Path], list[str]]
    read: Callable[[Path, Prepared], Weights]


def read_cprofile(dump: Path, _: Prepared) -> Weights:
    """Own time of every function."""
    told: Weights = Counter()
    for (path, line, function), row in pstats.Stats(str(dump)).stats.items():  # type: ignore[attr-defined]
        told[(function, path, line)] += row[2]
    return told


def read_pyinstrument(dump: Path, _: Prepared) -> Weights:
    """Own time is a frame's time without its children's; a `[self]` child is the frame itself."""
    told: Weights = Counter()

    def walk(frame: dict) -> None:
        children = [one for one in frame.get("children") or [] if not (one.get("function") or "").startswith("[self]")]
        key = (frame.get("function") or "", frame.get("file_path") or "", frame.get("line_no") or 0)
        told[key] += max(0.0, frame["time"] - sum(one["time"] for one in children))
        for one in children:
            walk(one)

    root = json.loads(dump.read_text()).get("root_frame")
    if root:
        walk(root)
    return told


def read_scalene(dump: Path, _: Prepared) -> Weights:
    """Python, native and system time of functions."""
    told: Weights = Counter()
    for path, file in json.loads(dump.read_text()).get("files", {}).items():
        for one in file.get("functions", []):
            shares = ("n_cpu_percent_python", "n_cpu_percent_c", "n_sys_percent")
            told[(one.get("line", ""), path, one.get("lineno", 0))] += sum(one.get(name, 0) for name in shares)
    return told


def read_py_spy(dump: Path, _: Prepared) -> Weights:
    """Leaves of the collapsed stacks."""
    told: Weights = Counter()
    for row in dump.read_text(errors="replace").splitlines():
        stack, _, count = row.rpartition(" ")
        leaf = stack.split(";")[-1].strip()
        found = re.match(r"(.*) \((.*?)(?::(\d+))?\)$", leaf)
        if leaf:
            told[(found[1], found[2], int(found[3] or 0)) if found else (leaf, "", 0)] += int(count)
    return told


def read_perf(dump: Path, prepared: Prepared) -> Weights:
    """Symbols of user space by overhead."""
    fields = ["-F", "overhead,symbol", "-t", "|"]
    report = prepared.call(["perf", "report", "-i", str(dump), "--no-children", "--stdio", "-g", "none", *fields])
    told: Weights = Counter()
    for row in report.out.splitlines():
        found = re.match(r"\s*([\d.]+)%\s*\|(\[.\])\s*(\S.*)", row)
        if found:
            told[(re.split(r"\s{2,}|\|", found[3].strip())[0], "", 0)] += float(found[1])
    return told


PEERS = {
    "cProfile": Peer(
        ("python",), lambda _, run, dump: [run[0], "-m", "cProfile", "-o", str(dump), *run[1:]], read_cprofile
    ),
    "pyinstrument": Peer(
        ("python",),
        lambda bin_, run, dump: [str(bin_ / "pyinstrument"), "-r", "json", "--show-all", "-o", str(dump), *run[1:]],
        read_pyinstrument,
    ),
    "scalene": Peer(
        ("python",),
        lambda bin_, run, dump: [str(bin_ / "scalene"), "run", "--cpu-only", "-o", str(dump), *run[1:]],
        read_scalene,
    ),
    "py-spy": Peer(
        ("python",),
        lambda bin_, run, dump: [
            *[str(bin_ / "py-spy"), "record", "-F", "-r", "200", "-f", "raw", "-o", str(dump), "--"],
            *run,
        ],
        read_py_spy,
    ),
    "perf": Peer(
        ("cpp",),
        lambda _, run, dump: [
            "perf",
            "record",
            "-q",
            "-e",
            "cpu-clock",
            "-F",
            "999",
            "-g",
            "-o",
            str(dump),
            "--",
            *run,
        ],
        read_perf,
    ),
}


def peer_document(name: str, prepared: Prepared, bin_: Path) -> tuple[dict, str]:
    """A peer's functions as a findings document, and what went wrong."""
    peer, dump = PEERS[name], prepared.folder.parent.parent / "peer.out"
    command = prepared.command
    if prepared.case.language == "python":
        command = [str(bin_ / "python3"), *command[1:]]
    ended = prepared.call(peer.command(bin_, command, dump))
    if not dump.exists():
        return {}, ended.note or "left no output"
    told = peer.read(dump, prepared)
    total = sum(told.values()) or 1.0
    findings = [
        {
            "kind": "cpu-hotspot",
            "severity": "bottleneck" if weight / total >= 0.10 else "hotspot" if weight / total >= 0.05 else "notice",
            "where": {"function": function, "file": path, "line": line},
            "share": weight / total,
        }
        for (function, path, line), weight in told.most_common(SHOWN)
    ]
    over = any(one["severity"] == "bottleneck" for one in findings)
    return {"verdict": "bottleneck" if over else "no-bottleneck", "findings": findings}, ended.note
