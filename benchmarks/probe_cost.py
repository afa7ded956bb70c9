"""What one instrumented call costs: nanoseconds above a bare call, ours and others' in turn, minima and medians.

    python benchmarks/probe_cost.py [--rounds 100] [--python PATH]... [--minitrace DIR] [--tracy DIR] [--out FILE]

For each interpreter the probe is built into a folder of its own and run there (benchmarks/probe/python_calls.py), with
the other tools that it has installed; then C++ (benchmarks/probe/calls.cpp), with minitrace and Tracy where folders of
their sources are named. Minima reproduce on a noisy host where medians don't; taking variants in turn keeps a slow
second from hitting one of them only.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks" / "probe"
CONFIG = (
    "import sysconfig as s, json; "
    "print(json.dumps([s.get_paths()['include'], s.get_config_var('EXT_SUFFIX'), s.get_python_version()]))"
)
OURS = ("@profile_function, on", "@profile_function, off", "with profile_scope(name), on")


def compiled(source: Path, target: Path, *flags: str) -> None:
    """Compile with optimization."""
    compiler = "gcc" if source.suffix == ".c" else os.environ.get("CXX", "g++")
    subprocess.run([compiler, *flags, "-O2", str(source), "-o", str(target)], check=True)


def python_costs(python: str, rounds: int, folder: Path) -> tuple[str, dict[str, dict[str, float]]]:
    """Version of an interpreter and its figures; the probe is built for it in `folder`."""
    answer = subprocess.run([python, "-c", CONFIG], check=True, capture_output=True, text=True).stdout
    include, suffix, version = json.loads(answer)
    shutil.copytree(
        ROOT / "src" / "storeprof" / "probe", folder / "storeprof" / "probe", ignore=shutil.ignore_patterns("*.so")
    )
    shutil.copy(ROOT / "src" / "storeprof" / "__init__.py", folder / "storeprof")
    shared = ("-shared", "-fPIC", "-fvisibility=hidden", f"-I{include}")
    recorder = folder / "storeprof" / "probe" / f"_recorder{suffix}"
    compiled(ROOT / "native" / "recorder_module.cpp", recorder, "-std=c++17", *shared, f"-I{ROOT / 'include'}")
    compiled(HERE / "floor.c", folder / f"floor{suffix}", *shared)
    env = {**os.environ, "PYTHONPATH": str(folder)}
    command = [python, str(HERE / "python_calls.py"), str(rounds)]
    return version, json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)


def peer_flags(folder: Path, minitrace: Path | None, tracy: Path | None) -> list[str]:
    """What compiles the C++ peers in; their own sources are compiled into `folder`."""
    flags: list[str] = []
    if minitrace:
        compiled(minitrace / "minitrace.c", folder / "minitrace.o", "-c", "-DMTR_ENABLED")
        flags += ["-DMTR_ENABLED", f"-I{minitrace}", str(folder / "minitrace.o")]
    if tracy:
        compiled(tracy / "public" / "TracyClient.cpp", folder / "tracy.o", "-c", "-std=c++17", "-DTRACY_ENABLE")
        flags += ["-DTRACY_ENABLE", f"-I{tracy / 'public'}", str(folder / "tracy.o"), "-ldl"]
    return flags


def cpp_costs(rounds: int, folder: Path, peers: list[str]) -> dict[str, dict[str, float]]:
    """Figures of the C++ half."""
    program, ours = folder / "calls", ["-std=c++17", "-DSTOREPROF_ENABLE", f"-I{ROOT / 'include'}", "-pthread"]
    compiled(HERE / "calls.cpp", program, *ours, *peers)
    said = subprocess.run([str(program), str(rounds)], check=True, text=True, capture_output=True).stdout
    rows = (line.split("\t") for line in said.splitlines())
    return {name: {"min": float(least), "median": float(median)} for name, least, median in rows}


def table(title: str, figures: dict[str, dict[str, float]]) -> list[str]:
    """Lines of text."""
    rows = [f"{name:40} {one['min']:9.1f} {one['median']:9.1f}" for name, one in figures.items()]
    return [f"{title:40} {'minimum':>9} {'median':>9}", *rows, ""]


def ratios(figures: dict[str, dict[str, float]]) -> list[str]:
    """Ours over the floor and over cProfile, from the minima."""
    on, off, block = (figures[name]["min"] for name in OURS)
    wrapper = figures["floor: C wrapper that does nothing"]["min"]
    nothing = figures["floor: C block that does nothing"]["min"]
    return [
        f"  on over the do-nothing wrapper {on / wrapper:.2f} (3.0 at most), over cProfile "
        f"{on / figures['cProfile']['min']:.2f} (0.4 at most); off {off - wrapper:+.1f} ns (+3 at most)",
        f"  a scope over the do-nothing block {block / nothing:.2f} (1 at most); a lock with a name "
        f"{figures['with storeprof.Lock']['min'] - figures['with threading.Lock']['min']:+.1f} ns (+25 at most)",
        "",
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="rounds of all variants")
    parser.add_argument("--python", action="append", default=[], help="another interpreter (repeatable)")
    parser.add_argument("--minitrace", type=Path, help="folder of minitrace's sources, a peer in C++")
    parser.add_argument("--tracy", type=Path, help="folder of Tracy's sources, a peer in C++")
    parser.add_argument("--out", type=Path, help="write the tables here as well")
    given = parser.parse_args()
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    lines = [
        f"machine:{model.partition(':')[2]}, {os.cpu_count()} CPUs, Linux {platform.release()}; {date.today()}",
        f"ns per call above a bare call, {given.rounds} rounds in turn",
        "",
    ]
    for python in [sys.executable, *given.python]:
        with tempfile.TemporaryDirectory() as folder:
            version, figures = python_costs(python, given.rounds, Path(folder))
        lines += table(f"CPython {version}", figures) + ratios(figures)
    with tempfile.TemporaryDirectory() as folder:
        figures = cpp_costs(given.rounds, Path(folder), peer_flags(Path(folder), given.minitrace, given.tracy))
    clocks = figures["floor: two clock reads"]["min"]
    lines += table("C++", figures)
    one, eight = (figures[name]["min"] / clocks for name in ("PROFILE_SCOPE, on", "PROFILE_SCOPE at depth 8, each, on"))
    locks = [figures[f"{name}, lock + unlock"]["min"] for name in ("std::mutex", "storeprof::mutex")]
    tags, four = (figures[name]["min"] for name in ("memory alloc + dealloc, on", "floor: four counters"))
    lines += [
        f"  over two clock reads: {one:.2f} at depth 1 (1.5 at most), {eight:.2f} at depth 8 (2 at most); "
        f"a lock with a name {locks[1] - locks[0]:+.1f} ns (+25 at most)",
        f"  a pair of memory tags {tags:.1f} ns (2 at most), {tags / four:.2f} of four counters in memory",
    ]
    print("\n".join(lines))
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
