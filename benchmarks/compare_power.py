"""How often a duel cries wolf, and how often it finds planted slowdowns, beside pytest-benchmark's and asv's rules.

    python benchmarks/compare_power.py collect SECONDS RAW   measure pairs for so long; RAW is added to
    python benchmarks/compare_power.py report RAW            the table

Pairs of processes are measured with slowdowns of 0, 0, 2, 5 and 10 % planted in CPU work, in a wait for a lock and in
writes. Duels of 5 and 12 pairs are then drawn from these pairs without repetition, at the correction of four planned
looks. Duels with the default budget have the looks and the end of a real one (docs/decisions/0020) and are drawn with
repetition, as they take more pairs than there are; pairs of equals are turned at random, or the mean of those that were
measured would be taken for an effect. The rules of the other tools decide on the slices of the same runs as they would
have been made: the old version's from one pair of processes, the new version's from another. pytest-benchmark: the mean
(or the minimum) grew by over 5 %, one process a side. asv: Mann and Whitney's test at 0.002 over the slices of two
processes a side, and the medians' ratio beyond its factor (1.1 unless told otherwise).
"""

from __future__ import annotations

import math
import pickle
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from storeprof.compare import pairs as of_pairs
from storeprof.compare.judgement import IMPROVED, REGRESSED, Thresholds, judged
from storeprof.compare.pairs import Pair, turned
from storeprof.duel import slice_pairs
from storeprof.duel.options import DuelOptions, Version
from storeprof.duel.sequential import Course, run_pairs

WORKER = Path(__file__).parent / "compare" / "planted_worker.py"
KINDS, LEVELS = ("cpu", "lock", "io"), (0, 0, 2, 5, 10)
LOOKS, DRAWS, DUELS_DRAWN, SEQUENTIAL_DRAWN = 4, 2000, 200, 200
FEWEST_PAIRS = 5
SLICES, BUDGET_S = DuelOptions.slices_per_pair, DuelOptions.budget_s
METRICS = {
    "P50": ("latency_p50", "op"), "CPU": ("cpu_per_operation", None), "throughput": ("throughput", None),
}  # fmt: skip
Row = dict[str, Any]


def measure(kind: str, level: int, seed: int, folder: Path) -> Row:
    """One pair: its effects, and the seconds per operation of each slice of both sides."""
    kept: list[Any] = []

    def keeping(baseline: slice_pairs.Side, candidate: slice_pairs.Side) -> Pair:
        kept.extend((baseline, candidate))
        return real(baseline, candidate)

    def version(name: str, percent: int) -> Version:
        return Version(name, (sys.executable, str(WORKER), kind, str(percent), "{dir}"))

    options = DuelOptions(
        folder, version("baseline", 0), version("candidate", level), slices=True, seed=seed, slices_per_pair=SLICES
    )
    real, slice_pairs.pair_of = slice_pairs.pair_of, keeping
    began = time.monotonic()
    try:
        pair = slice_pairs.SlicePairs(options).pair(0)
    finally:
        slice_pairs.pair_of = real
    took = time.monotonic() - began
    times = [np.array([one.seconds / one.ops for one in side.slices]) for side in kept]
    return {"kind": kind, "level": level, "pair": pair, "old": times[0], "new": times[1], "took": took}


def collect(seconds: float, raw: Path) -> None:
    """Measure pairs of all kinds and levels in turn until the time is over."""
    rows: list[Row] = pickle.loads(raw.read_bytes()) if raw.exists() else []
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            number = len(rows)
            kind, level = KINDS[number % 3], LEVELS[number // 3 % 5]
            rows.append(measure(kind, level, number, Path(folder)))
    raw.write_bytes(pickle.dumps(rows))
    print(f"{len(rows)} pairs so far")


def duels(pairs: list[Pair], size: int, thresholds: Thresholds, chance: np.random.Generator) -> dict[str, float]:
    """Shares of drawn duels that say "changed": per metric, and on any."""
    hits: dict[str, int] = dict.fromkeys([*METRICS, "any"], 0)
    size = min(size, len(pairs))
    draws = 1 if size == len(pairs) else DUELS_DRAWN
    for _ in range(draws):
        drawn = [pairs[at] for at in chance.choice(len(pairs), size, replace=False)]
        rows = judged(of_pairs.asked_of_pairs(drawn, LOOKS), thresholds)
        changed = {(row["name"], row["operation"]) for row in rows if row["verdict"] in (IMPROVED, REGRESSED)}
        hits["any"] += bool(changed)
        for name, key in METRICS.items():
            hits[name] += key in changed
    return {name: count / draws for name, count in hits.items()}


def budgeted(pairs: list[Pair], each_s: float, equals: bool, chance: np.random.Generator) -> dict[str, float]:
    """Shares of duels with the default budget that say "changed", as `duels` has them, and the pairs they took."""
    hits: dict[str, float] = dict.fromkeys([*METRICS, "any", "pairs"], 0.0)
    for _ in range(SEQUENTIAL_DRAWN):
        found = one_budgeted(pairs, each_s, equals, chance)
        changed = {(row["name"], row["operation"]) for row in found.rows if row["verdict"] in (IMPROVED, REGRESSED)}
        hits["any"] += bool(changed)
        hits["pairs"] += len(found.pairs)
        for name, key in METRICS.items():
            hits[name] += key in changed
    return {name: count / SEQUENTIAL_DRAWN for name, count in hits.items()}


def one_budgeted(pairs: list[Pair], each_s: float, equals: bool, chance: np.random.Generator) -> Course:
    """One such duel, its time counted in pairs of `each_s` seconds."""
    now = 0.0

    def measured(_: int) -> Pair:
        nonlocal now
        now += each_s
        drawn = pairs[chance.integers(len(pairs))]
        return turned(drawn) if equals and chance.random() < 0.5 else drawn

    return run_pairs(measured, Thresholds(), budget_s=BUDGET_S, clock=lambda: now)


def pytest_benchmark(rows: list[Row], what: Any, chance: np.random.Generator) -> float:
    """Share of comparisons in which `what` (mean, min) of one process grew by over 5 %."""
    picks = [chance.choice(len(rows), 2, replace=False) for _ in range(DRAWS)]
    return float(np.mean([what(rows[new]["new"]) > 1.05 * what(rows[old]["old"]) for old, new in picks]))


def asv(rows: list[Row], factor: float, chance: np.random.Generator) -> float:
    """Share of comparisons in which asv's rule says "changed", two processes a side."""
    hits = 0
    for _ in range(DRAWS):
        a, b, c, d = chance.choice(len(rows), 4, replace=False)
        old = np.concatenate([rows[a]["old"], rows[b]["old"]])
        new = np.concatenate([rows[c]["new"], rows[d]["new"]])
        ratio = float(np.median(new) / np.median(old))
        hits += max(ratio, 1 / ratio) > factor and mann_whitney_p(old, new) < 0.002
    return hits / DRAWS


def mann_whitney_p(first: Any, second: Any) -> float:
    """Two-sided p-value by the normal approximation; ties do not happen among times in ns."""
    n, m = len(first), len(second)
    ranks = np.argsort(np.argsort(np.concatenate([first, second]))) + 1
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


def report(raw: Path) -> None:
    """Print the table."""
    rows: list[Row] = pickle.loads(raw.read_bytes())
    chance = np.random.default_rng(1)
    cells = [[row for row in rows if (row["kind"], row["level"]) == (kind, one)] for kind in KINDS for one in LEVELS]
    fewest = min(map(len, cells))
    if fewest < FEWEST_PAIRS:
        sys.exit(f"{raw}: {fewest} pairs of some kind, a table needs {FEWEST_PAIRS}; collect again, which adds to them")
    print(
        f"{len(rows)} pairs of processes, {SLICES} slices of 5 ms each; CPUs: 2 shared; Python {sys.version.split()[0]}"
    )
    each_s = float(np.median([row["took"] for row in rows]))
    print(f"a pair takes {each_s:.1f} s: {int(BUDGET_S / each_s)} within the default budget of {BUDGET_S:.0f} s")
    print("share of comparisons that say `changed`, in %; any: on any metric; default: with the default budget, drawn")
    print("with repetition, and the pairs they took (a duel ends when settled: 2 % is `unchanged within 5 %`, too)\n")
    head = "kind  planted  pairs   duel of 5: P50 CPU thr any   of 12: P50 CPU thr any  gate(12) any"
    head += "   default: P50 CPU thr any pairs"
    print(head + "   pytest-benchmark mean min   asv 1.1 1.02")
    for kind in KINDS:
        for level in dict.fromkeys(LEVELS):
            some = [row for row in rows if row["kind"] == kind and row["level"] == level]
            pairs = [row["pair"] for row in some]
            five, twelve = (duels(pairs, size, Thresholds(), chance) for size in (5, 12))
            gate = duels(pairs, 12, Thresholds(alpha=0.01), chance)["any"]
            whole = budgeted(pairs, each_s, level == 0, chance)
            of_whole = " ".join(f"{100 * whole[name]:3.0f}" for name in (*METRICS, "any")) + f"   {whole['pairs']:3.0f}"
            others = [
                *(pytest_benchmark(some, what, chance) for what in (np.mean, np.min)),
                *(asv(some, factor, chance) for factor in (1.1, 1.02)),
            ]
            of_five, of_twelve = (" ".join(f"{100 * value:3.0f}" for value in one.values()) for one in (five, twelve))
            theirs = "{:4.0f} {:3.0f}       {:3.0f}  {:3.0f}".format(*(100 * share for share in others))
            print(
                f"{kind:5} {level:5} %  {len(pairs):5}              {of_five}          {of_twelve}       "
                f"{100 * gate:5.1f}           {of_whole}                   {theirs}"
            )


if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or ["report", ""]
    if command == "collect":
        collect(float(arguments[0]), Path(arguments[1]))
    else:
        report(Path(arguments[0]))
