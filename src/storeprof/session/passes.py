"""Passes: the same workload again under each tool that distorts, after the timing run and never beside it.

What a pass leaves lies in `raw/PASS*`; its row in recording.json says how it went. The figures are made of that when
the recording is finished (pass_tables.py). Nothing that happens here costs the recording.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TextIO

from storeprof.collect.command_check import check_command
from storeprof.collect.linux.build_facts import BuildFacts, build_facts
from storeprof.collect.pass_process import Limits, PassEnd, run_attached, run_beside, run_under
from storeprof.collect.pass_tool import PassOptions, PassTool, Target
from storeprof.collect.python_command import python_command
from storeprof.collect.registry import Choice, choose
from storeprof.collect.tool_process import run_tool
from storeprof.errors import CollectorError, StoreprofError
from storeprof.recording.model import read_meta, write_meta
from storeprof.session.options import RecordOptions

# Under valgrind a program is up to 100 times slower than in the timing run.
LIMIT_FACTOR: Final = 100.0
SHORTEST_LIMIT_S: Final = 60.0
LONGEST_LIMIT_S: Final = 900.0
# Of a running process, whose load is whatever it is, this long tells enough.
BESIDE_S: Final = 10.0
# And so long of a program that runs until it is told to end.
ENDLESS_S: Final = 20.0
# For what reads the tool's own file afterwards; with --pass-limit as long as that, but not less than the second.
READING_TIMEOUT_S: Final = 300.0
SHORTEST_READING_S: Final = 5.0
# Bytes that a recording needs to be finished, besides twice its journal.
LEAST_ROOM: Final = 1 << 17
Row = dict[str, Any]


@dataclass(frozen=True)
class _Workplace:
    """Where passes run: `scratch` (the engine's data) is emptied before each.

    The timing run took `timing_s`, and was `ended` for a program that does not end by itself.
    """

    folder: Path
    scratch: Path | None
    stream: TextIO
    timing_s: float
    ended: bool


def run_passes(options: RecordOptions, scratch: Path | None = None, stream: TextIO = sys.stderr) -> None:
    """Make the passes that `options.groups` ask for, and note them in recording.json."""
    if not options.groups:
        return
    folder = options.folder
    meta = read_meta(folder)
    rows: list[Row] = []
    try:
        place = _Workplace(folder, scratch, stream, _timing_s(meta), meta.get("ended_by") == "duration")
        _make(options, place, meta, rows)
    except KeyboardInterrupt:  # between two passes; during one its row says so
        rows.append(_row("-", Choice(tuple(sorted(options.groups)), None, "ended early by Ctrl-C", "record again")))
    except (StoreprofError, OSError) as error:
        rows.append(_row("-", Choice((), None, f"the passes ended early: {error}", "record again")))
    meta["passes"] = rows
    meta["collect"] = sorted(options.groups)
    try:
        write_meta(folder, meta)
    except OSError as error:
        print(f"storeprof: the passes could not be noted ({error.strerror}); the recording is kept", file=stream)


def target_of(options: RecordOptions) -> tuple[Target, BuildFacts | None]:
    """What is known of the program before any tool looks at it, and of its build (None for interpreters)."""
    command = options.pass_command or options.command
    program = _program(options)
    python = python_command(command)
    interpreter = python is not None or bool(program and program.name.startswith("python"))
    facts = build_facts(program) if program and not interpreter else None
    target = Target(
        command=command,
        pid=options.pid,
        program=program if facts else None,
        python=python,
        sanitizer=facts.sanitizer if facts else None,
        gprof=bool(facts and facts.gprof),
        entries=options.entries,
    )
    return target, facts


def _program(options: RecordOptions) -> Path | None:
    try:
        if options.pid is not None:
            return Path(f"/proc/{options.pid}/exe").resolve(strict=True)
        return Path(check_command(options.command)).resolve(strict=True)
    except (OSError, StoreprofError):
        return None


def _make(options: RecordOptions, place: _Workplace, meta: Row, rows: list[Row]) -> None:
    target, facts = target_of(options)
    meta["build_warnings"] = [{"what": what, "remedy": remedy} for what, remedy in facts.warnings()] if facts else []
    choices = choose(options.groups, target)
    (place.folder / "raw").mkdir(exist_ok=True)
    why_not = _why_not(options, meta)
    for number, choice in enumerate((one for one in choices if one.tool), 1):
        assert choice.tool is not None
        name = f"pass-{number}-{choice.tool.name}"
        if why_not:
            rows.append(_row(name, replace(choice, tool=None, reason=why_not, remedy="record again"), choice.tool.name))
            continue
        groups = ", ".join(choice.groups)
        print(
            f"storeprof: pass {number}: {choice.tool.name} ({groups}; {choice.tool.costs})",
            file=place.stream,
            flush=True,
        )
        rows.append(_run(options, place, target, choice, name))
        if rows[-1]["ended"] == "interrupt":
            why_not = "ended early by Ctrl-C"
    rows += [_row("-", choice) for choice in choices if choice.tool is None]
    for row in rows:
        if not row["ran"]:
            print(f"storeprof: {', '.join(row['collects'])}: {row['reason']}", file=place.stream, flush=True)


def _why_not(options: RecordOptions, meta: Row) -> str | None:
    if meta.get("ended_by") in {"interrupt", "disk-full"}:
        return "ended early by Ctrl-C" if meta["ended_by"] == "interrupt" else "the disk is full"
    if options.pid is not None and not Path(f"/proc/{options.pid}").exists():
        return "the process had ended"
    return None


def _timing_s(meta: Row) -> float:
    return float(max(0.0, ((meta.get("ended_ns") or 0) - meta["started_ns"]) / 1e9))


def _run(options: RecordOptions, place: _Workplace, target: Target, choice: Choice, name: str) -> Row:
    tool = choice.tool
    assert tool is not None
    row = _row(name, replace(choice, reason=None), tool.name)
    row["notes"] += [choice.reason] if choice.reason else []
    output = (place.folder / "raw" / name).absolute()
    if place.scratch:
        shutil.rmtree(place.scratch, ignore_errors=True)
    wanted = PassOptions(target, output, options.pid, None)
    try:
        end = _start(options, tool, wanted, place)
        row.update(seconds=round(end.seconds, 3), ended=end.by, ran=True, status=end.status)
        row["operations"] = _operations(_stdout(output), options.ops_pattern)
        for reading in tool.readings(wanted):
            _read(reading.argv, reading.output, options.pass_limit_s)
        if end.by in {"limit", "killed"}:
            row["notes"].append(f"ended after {end.seconds:.0f} s: the figures are of that part of the run")
    except KeyboardInterrupt:
        row.update(ended="interrupt", reason="ended early by Ctrl-C", remedy="record again")
    except (StoreprofError, OSError) as error:
        row.update(ran=False, reason=f"{tool.name}: {error}", remedy=f"see raw/{name}.said")
    finally:
        for path in (_stdout(output), Path(f"{output}.window.json")):
            path.unlink(missing_ok=True)
        if _filled_the_disk(place.folder, output):
            row.update(ran=False, reason="the disk is full: what it had written was let go", remedy="make room")
    return row


def _filled_the_disk(folder: Path, output: Path) -> bool:
    """Whether a pass left no room to finish the recording, which is worth more: the files of the pass are gone then."""
    needed = max(LEAST_ROOM, 2 * sum(one.stat().st_size for one in folder.glob("journal*")))
    if shutil.disk_usage(folder).free >= needed:
        return False
    for path in output.parent.glob(f"{output.name}*"):
        if not path.name.endswith(".said"):
            path.unlink(missing_ok=True)
    return True


def _start(options: RecordOptions, tool: PassTool, wanted: PassOptions, place: _Workplace) -> PassEnd:
    said = wanted.output.with_name(wanted.output.name + ".said")
    # What the driver of an engine says of its window is that of the timing run, not of this one.
    env = {**options.environment, **tool.environment(wanted)}
    if "STOREPROF_WINDOW_FILE" in env:
        env["STOREPROF_WINDOW_FILE"] = f"{wanted.output}.window.json"
    if options.pid is not None:
        seconds = min(options.duration_s or BESIDE_S, BESIDE_S)
        return run_beside(tool.command(replace(wanted, duration_s=seconds)), said, duration_s=seconds, env=env)
    likely = min(LONGEST_LIMIT_S, max(SHORTEST_LIMIT_S, LIMIT_FACTOR * place.timing_s))
    # A program that ends by itself does so in a pass as well: cut short, its peak and its leaks would be others.
    duration_s = min(options.duration_s or ENDLESS_S, ENDLESS_S) if place.ended else None
    limits = Limits(duration_s, options.pass_limit_s or likely)
    stdout = _stdout(wanted.output)
    if not tool.attaches:
        spare = tool.own_processes
        return run_under(tool.command(wanted), said, limits=limits, spare=spare, env=env, stdout=stdout)
    return run_attached(
        lambda pid: tool.command(replace(wanted, pid=pid)),
        lambda: _is_ready(wanted.output),
        wanted.target.command,
        said,
        limits=limits,
        env=env,
        stdout=stdout,
    )


def _is_ready(output: Path) -> bool:
    """An attaching tool writes a first line when its probes are in place."""
    try:
        return b"ready" in output.read_bytes()[:4096]
    except OSError:
        return False


def _read(argv: list[str], output: Path, limit_s: float | None) -> None:
    limit_s = READING_TIMEOUT_S if limit_s is None else max(SHORTEST_READING_S, limit_s)
    done = run_tool(argv, timeout_s=limit_s, stdout_path=output)
    if done.status != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = "took too long" if done.timed_out else (said[-1] if said else f"status {done.status}")
        raise CollectorError(f"{Path(argv[0]).name} could not read what was recorded: {why}")


def _operations(stdout: Path, pattern: bytes) -> float | None:
    """Operations per second as the program says itself; None when it says nothing."""
    try:
        found = re.findall(pattern, stdout.read_bytes())
        rows = [(int(row[0]), float(row[1])) for row in found if isinstance(row, tuple)]
    except (OSError, ValueError, IndexError):
        return None
    seconds = sum(row[1] for row in rows)
    return sum(row[0] for row in rows) / seconds if seconds > 0 else None


def _stdout(output: Path) -> Path:
    return output.with_name(output.name + ".stdout")


def _row(name: str, choice: Choice, collector: str | None = None) -> Row:
    return {
        "pass": name, "collector": collector or (choice.tool.name if choice.tool else None),
        "collects": list(choice.groups), "own_run": True, "ran": False, "reason": choice.reason,
        "remedy": choice.remedy, "seconds": None, "operations": None, "ended": None, "status": None, "notes": [],
    }  # fmt: skip
