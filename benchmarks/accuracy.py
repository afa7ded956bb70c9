"""Scores storeprof, or a peer, on planted programs whose cause is known by construction.

    python benchmarks/accuracy.py [--only 01,45] [--seconds 8] [--calibrate 3] [--json FILE]
    python benchmarks/accuracy.py verify [--only 01] [--rounds 3]     measure the truth of the cases again
    python benchmarks/accuracy.py peers  [--only 01]                  what cProfile, py-spy, scalene, ... name

A planted program is right when a finding of the right kind at the right place stands first and the verdict is
`bottleneck`; a healthy one when nothing is called a bottleneck. Exit status 1 when a target is missed.
"""

import argparse
import contextlib
import fcntl
import json
import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from accuracy.calibration import measure
from accuracy.judging import CROWDED, Judgement, judge, missed, totals
from accuracy.peers import PEERS, peer_document
from accuracy.planted import CASES, Case, find
from accuracy.running import CannotRun, Outside, Prepared, prepare, sync_latency

DISK_IS_MEMORY = 50e-6


def machine() -> str:
    """The machine in one line."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((row.split(":")[1].strip() for row in told if row.startswith("model name")), "?")
    cpus = len(os.sched_getaffinity(0))
    return f"{cpus} CPUs ({model}), Linux {platform.release()}, CPython {platform.python_version()}"


@contextlib.contextmanager
def alone(lock: Path | None) -> Iterator[None]:
    """Hold a lock file meanwhile, where other measurements share the machine."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def copied(case: Case, given: argparse.Namespace) -> Iterator[Prepared]:
    """A built copy of a case on the disk of `--workdir`, removed afterwards."""
    given.workdir.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="accuracy-", dir=given.workdir))
    try:
        yield prepare(case, work, given.python, given.seconds)
    finally:
        if not given.keep:
            shutil.rmtree(work, ignore_errors=True)


def storeprof_document(prepared: Prepared, given: argparse.Namespace) -> tuple[dict, str]:
    """Record and analyze; the findings document, and what went wrong."""
    tool, out = shlex.split(given.storeprof), prepared.folder.parent.parent / "recording"
    recorded = prepared.call([*tool, "record", "--out", str(out), "--", *prepared.command])
    analyzed = prepared.call([*tool, "analyze", "--json", str(out)])
    note = " ".join(filter(None, (recorded.note, analyzed.note)))
    return (json.loads(analyzed.out) if analyzed.status == 0 else {}), note


def known_speedup(case: Case, prepared: Prepared, given: argparse.Namespace) -> float | None:
    """The true speedup: measured here when asked for, else the one written down."""
    if given.calibrate and not case.healthy:
        return measure(prepared, given.calibrate)["speedup"]
    return case.truth.speedup


def score(case: Case, given: argparse.Namespace, tool: str = "storeprof") -> Judgement:
    """Run one case under storeprof or a peer."""
    try:
        with copied(case, given) as prepared, alone(given.lock):
            speedup = known_speedup(case, prepared, given) if tool == "storeprof" else None
            outside = Outside()
            if tool == "storeprof":
                document, note = storeprof_document(prepared, given)
            else:
                document, note = peer_document(tool, prepared, given.peers_bin)
            taken = outside.cpus()
    except CannotRun as problem:
        return judge(case, {}, None, note=str(problem))
    return judge(case, document, speedup, taken, note)


def number(value: float | None) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"


def line(case: Case, judged: Judgement) -> str:
    """One case in one line."""
    span = case.truth.share_of(case.truth.kinds[0], judged.true_speedup) if case.truth.kinds else None
    share = f"{number(judged.share)} of {'-'.join(map(number, span))}" if span else number(judged.share)
    gain = f"{number(judged.speedup)}/{number(judged.true_speedup)}"
    mark = "ok  " if judged.right else "MISS"
    top = judged.findings[0] if judged.findings else "no finding"
    note = f"  (others took {judged.outside_cpus:.1f} CPUs)" if judged.outside_cpus > CROWDED else ""
    note += f"  ! {judged.note}" if judged.note else ""
    return f"{mark} {case.name:34s} {judged.verdict or '-':13s} {share:>17s} {gain:>11s}  {top}{note}"


def run_cases(given: argparse.Namespace, tool: str = "storeprof") -> list[Judgement]:
    """Score all cases that the tool can run, one line each."""
    judged = []
    languages = PEERS[tool].languages if tool in PEERS else ("python", "cpp")
    for case in find(given.corpus, given.only, given.without):
        if case.language not in languages or (tool != "storeprof" and "probes" in case.tags):
            continue
        judged.append(score(case, given, tool))
        print(line(case, judged[-1]), flush=True)
        if not judged[-1].right:
            for other in judged[-1].findings[1:4]:
                print(f"{'':80s}{other}", flush=True)
    return judged


def main_score(given: argparse.Namespace) -> int:
    """Score storeprof; 1 when a target is missed."""
    print(f"{'':4s} {'case':34s} {'verdict':13s} {'share of truth':>17s} {'gain/truth':>11s}  first finding")
    judged = run_cases(given)
    figures = totals(judged)
    print("\n" + "\n".join(f"{name:22s} {value:.3g}" for name, value in figures.items() if value is not None))
    over = missed(figures)
    print("targets reached" if not over else f"targets missed: {'; '.join(over)}")
    write(given, {"totals": figures, "cases": [asdict(one) for one in judged]})
    return 1 if over else 0


def main_peers(given: argparse.Namespace) -> int:
    """What the peers name on the programs they can run."""
    table = {}
    for tool in given.tools or PEERS:
        print(f"\n{tool}", flush=True)
        judged = run_cases(given, tool)
        table[tool] = {"totals": totals(judged), "cases": [asdict(one) for one in judged]}
    print(f"\n{'tool':14s} {'cases':>5s} {'kind and place first':>21s} {'place first':>12s} {'false alarms':>13s}")
    for tool, told in table.items():
        figures = told["totals"]
        alarms = f"{figures['false_alarms']}/{figures['healthy']}"
        first, place = number(figures["kind_and_place_first"]), number(figures["place_first"])
        print(f"{tool:14s} {figures['planted']:5d} {first:>21s} {place:>12s} {alarms:>13s}")
    write(given, table)
    return 0


def main_verify(given: argparse.Namespace) -> int:
    """Measure the truth: throughput ratio and the waits of busy threads, with and without the plant."""
    print(
        f"{'case':34s} {'speedup':>8s} {'by CPU':>7s} {'blocked':>8s} {'without':>8s} {'queueing':>9s} {'without':>8s}"
    )
    told = {}
    for case in find(given.corpus, given.only, given.without):
        try:
            with copied(case, given) as prepared, alone(given.lock):
                seen = told[case.name] = measure(prepared, given.rounds)
        except CannotRun as problem:
            print(f"{case.name:34s} ! {problem}", flush=True)
            continue
        ratios = f"{seen['speedup']:8.2f} {seen['speedup_cpu']:7.2f}"
        waits = f"{seen['blocked']:8.2f} {seen['blocked_without']:8.2f} {seen['queueing']:9.2f}"
        waits += f" {seen['queueing_without']:8.2f}"
        print(f"{case.name:34s} {ratios} {waits}   {case.truth.speedup or ''}", flush=True)
    write(given, told)
    return 0


def write(given: argparse.Namespace, told: dict) -> None:
    """Leave the figures behind for scripts."""
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), **told}, indent=1) + "\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""

    def names(text: str) -> list[str]:
        return text.split(",")

    root = Path(__file__).resolve().parents[1]
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("mode", nargs="?", choices=("score", "verify", "peers"), default="score", help="what to do")
    options.add_argument("--only", type=names, default=[], help="beginnings of names, comma separated")
    options.add_argument("--without", type=names, default=[], help="beginnings of names to leave out")
    options.add_argument("--seconds", type=float, default=8, help="how long a program runs (RUN_SECONDS)")
    options.add_argument("--rounds", type=int, default=3, help="verify: interleaved rounds")
    options.add_argument(
        "--calibrate", type=int, default=0, metavar="N", help="measure the true speedups first, N rounds"
    )
    options.add_argument("--tools", type=names, default=[], help="peers: which, comma separated")
    options.add_argument(
        "--peers-bin", type=Path, default=root / ".venv-peers" / "bin", help="where the peers are installed"
    )
    options.add_argument("--corpus", type=Path, default=CASES, help="the folder of the cases")
    options.add_argument("--storeprof", default=f"{sys.executable} -m storeprof", help="the command to score")
    options.add_argument("--python", default=sys.executable, help="the interpreter of the Python cases")
    options.add_argument(
        "--workdir", type=Path, default=root / "build" / "accuracy", help="where copies run: on a disk"
    )
    options.add_argument("--lock", type=Path, help="a file to lock during each case, on a shared machine")
    options.add_argument("--keep", action="store_true", help="keep the copies and the recordings")
    options.add_argument("--json", type=Path, help="write all figures to this file")
    return options


def main() -> None:
    """Do what the command line says."""
    given = parser().parse_args()
    given.corpus, given.workdir = given.corpus.resolve(), given.workdir.resolve()
    given.workdir.mkdir(parents=True, exist_ok=True)
    latency = sync_latency(given.workdir)
    print(f"{machine()}; fdatasync {latency * 1e6:.0f} us; load {os.getloadavg()[0]:.1f}; {given.seconds:g} s a case")
    if latency < DISK_IS_MEMORY:
        print("a sync costs nothing here: cases tagged disk-dependent mean little; name a folder on a disk: --workdir")
    sys.exit({"score": main_score, "verify": main_verify, "peers": main_peers}[given.mode](given))


if __name__ == "__main__":
    main()
