"""How native stacks are taken is decided by what the compiled code does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storeprof.collect.linux.frame_pointers import call_graph_for, frame_pointer_share

# Functions of some size that call each other, as engines have.
SOURCE = """
#include <stdlib.h>
#define STEP(n, next) __attribute__((noinline)) long step##n(long x, long *seen) { \\
    for (long i = 0; i < x % 7; i++) seen[i % 4] += next(x + i + n, seen) * (i + rand()); return seen[x & 3] + n; }
long last(long x, long *seen) { return seen[x & 3]; }
STEP(1, last) STEP(2, step1) STEP(3, step2) STEP(4, step3) STEP(5, step4) STEP(6, step5) STEP(7, step6) STEP(8, step7)
STEP(9, step8) STEP(10, step9) STEP(11, step10) STEP(12, step11) STEP(13, step12) STEP(14, step13) STEP(15, step14)
STEP(16, step15) STEP(17, step16) STEP(18, step17) STEP(19, step18) STEP(20, step19) STEP(21, step20) STEP(22, step21)
int main(int count, char **names) { long seen[4] = {0}; return step22(count, seen) == 77; }
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same program with and without frame pointers."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "steps.c").write_text(SOURCE)
    found = {}
    for name, flag in (("kept", "-fno-omit-frame-pointer"), ("omitted", "-fomit-frame-pointer")):
        found[name] = folder / name
        subprocess.run(["gcc", "-O2", flag, "-o", found[name], folder / "steps.c"], check=True)
    return found


def test_frame_pointers_are_measured(built: dict[str, Path]) -> None:
    """Code built to keep frame pointers is told from code that does not."""
    assert (frame_pointer_share(built["kept"]) or 0.0) > 0.8
    assert (frame_pointer_share(built["omitted"]) or 0.0) < 0.2


def test_one_library_without_them_decides(built: dict[str, Path]) -> None:
    """Stacks go by frame pointers only where all the code keeps them; the reason names the first that does not."""
    assert call_graph_for([built["kept"], built["kept"]])[0] == "fp"
    kind, why = call_graph_for([built["kept"], built["omitted"]])
    assert kind == "dwarf" and "omitted" in why


def test_what_is_no_binary_says_nothing(tmp_path: Path) -> None:
    """A script, a missing file and no file at all leave the copy of the stack."""
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\n")
    assert frame_pointer_share(script) is None
    assert frame_pointer_share(tmp_path / "absent") is None
    assert call_graph_for([])[0] == "dwarf"


def test_the_choice_is_recorded(tmp_path: Path) -> None:
    """recording.json says how stacks were taken and why; --call-graph has the last word."""
    import json

    from recordings import record

    done = record(tmp_path, sys.executable, "-c", "sum(range(10**7))", seconds=2, options=("--call-graph", "fp"))
    assert done.status == 0, done.stderr
    (row,) = [
        one
        for one in json.loads((tmp_path / "recording" / "recording.json").read_text())["collectors"]
        if one["name"] == "perf"
    ]
    assert row["call_graph"] == "fp" and "--call-graph" in row["call_graph_why"]
    assert os.path.exists(tmp_path / "recording" / "raw" / "perf.data")
