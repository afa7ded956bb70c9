"""What probes cost, measured in the recording itself, and the budget they keep."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recordings import PROGRAMS, build, findings, record
from storeprof.analysis.overhead import trimmed_mean
from storeprof.recording.model import Recording

INCLUDE = Path(__file__).parents[2] / "include"
FLAGS = ("-std=c++17", "-O2", "-DSTOREPROF_ENABLE", f"-I{INCLUDE}")
QUICK = ("--no-perf", "--no-alloc-hook")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program whose probes cost what its arguments ask for."""
    return build(tmp_path_factory.mktemp("probe_cost"), PROGRAMS / "probe_cost.cpp", *FLAGS)


def truth(program: Path, scopes: int, rounds: int) -> float:
    """What all probes cost, in percent, as the program itself finds out by leaving them away."""
    env = {**os.environ, "STOREPROF_RECORD": "1", "RUN_SECONDS": "1.5"}
    command = [str(program), str(scopes), str(rounds), "truth"]
    return float(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)


def recorded(
    folder: Path, program: Path, load: tuple[int, int, str], budget: str, seconds: float = 3
) -> dict[str, Any]:
    """The document of a run within a budget, with what the program says it did as `done`."""
    scopes, rounds, work = load
    options = (*QUICK, "--overhead-budget", budget)
    done = record(folder, program, str(scopes), str(rounds), work, seconds=seconds, options=options)
    assert done.status == 0, done.stderr
    return {**findings(folder), "done": int(re.findall(r"ops=(\d+)", done.stdout)[0])}


def test_a_planted_cost_is_found_with_its_size(tmp_path: Path, program: Path) -> None:
    """Probes that take 3 % are measured as 3 %, a quarter more or less on a machine that changes its speed."""
    before = truth(program, 8, 2800)
    overhead = recorded(tmp_path, program, (8, 2800, "even"), "90")["overhead"]
    after = truth(program, 8, 2800)
    assert 1.5 < min(before, after) < 8
    least, most = sorted((before, after))  # far apart where the machine changed its speed meanwhile
    assert least - max(0.3 * least, 0.75) < overhead["timing_percent"] < most + max(0.3 * most, 0.75)
    low, high = overhead["timing_ci"]
    assert low < overhead["timing_percent"] < high < low + 2.5, (before, overhead, after)
    assert 0 < overhead["floor_percent"] < overhead["timing_percent"]
    assert 0 < overhead["memory_percent"] < 0.2


def test_a_probe_that_costs_nothing_shows_an_interval_around_its_floor(tmp_path: Path, program: Path) -> None:
    """One scope in an operation of 0.4 ms: the interval holds the floor, which is next to nothing."""
    overhead = recorded(tmp_path, program, (1, 200_000, "even"), "90")["overhead"]
    low, high = overhead["timing_ci"]
    assert overhead["floor_percent"] < 0.02
    assert low - 0.05 <= overhead["floor_percent"] <= high + 0.05
    assert abs(overhead["timing_percent"]) < 0.5


def test_the_budget_is_kept_and_what_is_sampled_agrees_with_the_truth(tmp_path: Path, program: Path) -> None:
    """Within 1 %, few operations are timed; counts stay exact, totals and percentiles those of the full detail."""
    for name in ("full", "sampled"):
        (tmp_path / name).mkdir()
    full = recorded(tmp_path / "full", program, (8, 4600, "mixed"), "90")
    sampled = recorded(tmp_path / "sampled", program, (8, 4600, "mixed"), "1", seconds=4)
    assert sampled["overhead"]["timed_share"] < 0.6 < full["overhead"]["timed_share"]
    assert sampled["overhead"]["timing_ci"][0] <= 1.0
    for document, folder in ((full, "full"), (sampled, "sampled")):
        (operation,) = document["operations"]
        assert operation["count"] == document["done"]
        sums = Recording.open(tmp_path / folder / "recording").sql(
            "SELECT name, sum(count)::BIGINT AS n, sum(total_ns) / sum(count) AS mean FROM scope_slices "
            "JOIN scope_nodes USING (node) GROUP BY name ORDER BY name"
        )
        document["mean"] = dict(zip(sums["name"].tolist(), sums["mean"].tolist(), strict=True))
        assert dict(zip(sums["name"].tolist(), sums["n"].tolist(), strict=True))["inner"] == 8 * document["done"]
    for name, value in full["mean"].items():
        assert sampled["mean"][name] == pytest.approx(value, rel=0.1)
    latencies = [document["operations"][0]["latency_s"] for document in (full, sampled)]
    assert latencies[1]["p50"] == pytest.approx(latencies[0]["p50"], rel=0.1)
    assert latencies[1]["p95"] == pytest.approx(latencies[0]["p95"], rel=0.1)


def test_a_floor_over_the_budget_stands_in_the_report_with_the_probe_to_remove(tmp_path: Path, program: Path) -> None:
    """Where counting alone costs more than the budget, the advice names the dearest probe; nearly nothing is timed."""
    document = recorded(tmp_path, program, (50, 1000, "even"), "1", seconds=2)
    overhead = document["overhead"]
    assert overhead["timed_share"] < 0.3
    assert re.match(
        r"probes cost at least [\d.]+ % of the CPU time, over the budget of 1 %.* inner ", overhead["advice"]
    )
    assert document["operations"][0]["count"] == document["done"]


def test_instrumented_functions_are_let_go_when_they_cost_too_much(tmp_path: Path) -> None:
    """A module's functions are timed by a pattern; the tiny ones get their originals back and are named."""
    (tmp_path / "engine.py").write_text(
        "def tiny(x):\n    return x\n\nclass Store:\n    def put(self, n):\n        return sum(range(n))\n"
    )
    (tmp_path / "app.py").write_text(
        "import os, time, engine\n"
        "store, done, original = engine.Store(), 0, engine.tiny\n"
        "end = time.monotonic() + float(os.environ['RUN_SECONDS'])\n"
        "while time.monotonic() < end:\n"
        "    store.put(20_000)\n"
        "    for i in range(2000): engine.tiny(i)\n"
        "    done += 1\n"
        "print(f'ops={done}', type(original).__name__, type(engine.tiny).__name__)\n"
    )
    options = (*QUICK, "--instrument", "engine.*", "--instrument", "absent.*")
    done = record(tmp_path, sys.executable, "app.py", seconds=3, options=options)
    assert done.status == 0, done.stderr
    assert "--instrument absent.*: absent was never imported" in done.stderr
    assert done.stdout.split()[1:] == ["ProfiledFunction", "function"]
    document = findings(tmp_path)
    counts = {row["name"]: row["count"] for row in document["operations"]}
    assert counts["Store.put"] == int(done.stdout.split()[0].removeprefix("ops="))
    assert document["overhead"]["detached"] == ["engine.tiny"]
    assert document["overhead"]["floor_percent"] < 10


def test_the_trimmed_mean_and_its_interval() -> None:
    """A tenth at either end has no part in the mean; its interval is a little wider than the best one."""
    values = np.random.default_rng(7).normal(0.03, 0.05, 400)
    values[:20] = 50.0
    found = trimmed_mean(values)
    assert found.low < 0.03 + 0.01 and 0.02 < found.value < 0.045
    assert 2 * 1.96 * 0.05 / 20 < found.high - found.low < 3 * 1.96 * 0.05 / 20
