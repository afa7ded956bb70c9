"""Cache misses whose place is known by construction, told from a simulation in a pass of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from recordings import PLANTED, findings, record


def test_a_walk_over_a_large_permutation_waits_for_memory(tmp_path: Path) -> None:
    """The function that misses is named, with its part of the run's time; the one that does not miss is not."""
    program = tmp_path / "walk"
    subprocess.run(
        ["g++", "-O2", "-g", "-fno-omit-frame-pointer", "-o", program, PLANTED / "cache_walk.cpp"], check=True
    )
    done = record(tmp_path, program, seconds=10, options=("--collect", "cpu,counters"))
    assert done.status == 0, done.stderr
    document = findings(tmp_path)
    covered = next(row for row in document["coverage"] if row["kind"] == "cache-misses")
    assert covered["checked"] and "simulated" in covered["reason"]
    # A hotspot that is surely a bottleneck stands for it: what misses cost is an estimate, never more than a hotspot.
    found = [
        row
        for row in document["findings"]
        if row["kind"] == "cache-misses" or "as cache-misses:" in " ".join(row["evidence"])
    ]
    assert [row["where"]["function"] for row in found] == ["index_pages::follow_pages"]
    assert not [row for row in document["findings"] if (row["kind"], row["severity"]) == ("cache-misses", "bottleneck")]
