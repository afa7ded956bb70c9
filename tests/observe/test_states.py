"""Every state and reason of a wait, verified on a program that really is in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from recordings import PROGRAMS, findings, storeprof

SECONDS = 2.5


@dataclass(frozen=True)
class Observed:
    """A recorded program: its findings document and its tables."""

    document: dict[str, Any]
    tables: Path

    def share(self, category: str) -> float:
        """Share of busy wall."""
        return float(self.document["wall_time"][category])

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        """Findings of one kind."""
        return [row for row in self.document["findings"] if row["kind"] == kind]

    def looks(self, thread: str, reason: str) -> float:
        """Share of a Python thread's looks (found by a function on its stacks) that have a reason."""
        query = f"""
            WITH RECURSIVE up(leaf, node) AS (
                SELECT stack_id, stack_id FROM '{self.tables}/stacks.parquet'
                UNION ALL
                SELECT leaf, s.parent_id FROM up JOIN '{self.tables}/stacks.parquet' s ON s.stack_id = up.node
                WHERE s.parent_id IS NOT NULL
            ), mine AS (
                SELECT DISTINCT leaf FROM up JOIN '{self.tables}/stacks.parquet' s ON s.stack_id = up.node
                JOIN '{self.tables}/frames.parquet' f USING (frame_id) WHERE f.function LIKE '%{thread}'
            )
            SELECT avg(CASE WHEN reason = '{reason}' THEN 1 ELSE 0 END)
            FROM '{self.tables}/looks.parquet' WHERE py_stack_id IN (SELECT leaf FROM mine)
        """
        return float(first(query) or 0.0)


def first(query: str) -> Any:
    """The first value of a query."""
    row = duckdb.connect().execute(query).fetchone()
    assert row is not None
    return row[0]


Observer = Callable[[str], Observed]


@pytest.fixture(scope="module")
def observe(tmp_path_factory: pytest.TempPathFactory) -> Observer:
    """Record states.py in one state, once, and read what was seen."""

    @cache
    def observed(state: str) -> Observed:
        folder, program = tmp_path_factory.mktemp(state), PROGRAMS / "states.py"
        done = storeprof(
            "record", "--out", folder / "recording", "--no-perf", "--", sys.executable, program, state, str(SECONDS),
            cwd=folder,
        )  # fmt: skip
        assert done.status == 0, done.stderr
        return Observed(findings(folder), folder / "recording" / "tables")

    return observed


def test_a_held_lock_is_lock_contention_where_it_is_taken(observe: Observer) -> None:
    """Waiting for a lock that another thread holds is `lock`, at the function that takes it."""
    seen = observe("held_lock")
    assert seen.looks("contender", "lock") > 0.5
    assert seen.kinds("lock-contention")[0]["where"]["function"] == "states.acquire_for_put"


def test_a_consumer_that_waits_for_work_is_idle(observe: Observer) -> None:
    """A queue-get from a thread's loop is idle: it is in no share."""
    seen = observe("consumer_waits")
    assert seen.looks("consumer", "queue-get") > 0.5
    assert seen.share("dependency") < 0.05


def test_a_producer_on_a_full_queue_waits_for_others_work(observe: Observer) -> None:
    """A queue-put on a full queue counts as a wait for others, at what they do; the function that puts is named."""
    seen = observe("producer_waits")
    assert seen.looks("producer", "queue-put") > 0.5
    where = seen.kinds("dependency-wait")[0]["where"]
    assert (where["function"], where["resource"]) == ("states.handle_slowly", "wait in states.submit")
    assert where["line"]


def test_two_cpu_bound_threads_wait_for_the_gil_and_its_holder_is_named(observe: Observer) -> None:
    """Two threads of Python code spend about half of their time waiting for the GIL; the holder is the other one."""
    seen = observe("two_cpu_bound")
    assert 0.25 < seen.share("gil") < 0.65
    holders = " ".join(row["function"] for row in seen.kinds("gil-contention")[0]["holders"])
    assert "burn_first" in holders
    assert "burn_second" in holders


def test_fsync_is_a_wait_for_the_disk_and_names_the_file(observe: Observer) -> None:
    """fsync in a loop is `disk`, with the file it waits for (a disk that answers at once shows nothing)."""
    seen = observe("fsync_loop")
    blocked = seen.looks("append_record", "disk")
    if blocked > 0.02:
        assert first(
            f"SELECT count(*) FROM '{seen.tables}/resources.parquet' WHERE kind = 'file' AND name LIKE '%/log'"
        )
    assert seen.looks("append_record", "unknown") < 0.02


def test_a_cold_mapped_file_waits_in_page_faults(observe: Observer) -> None:
    """Touching a mapped file that is not in memory is `page-fault`, where it is touched."""
    seen = observe("mapped_cold")
    majors = first(f"SELECT sum(majflt) FROM '{seen.tables}/thread_time.parquet'")
    if majors:  # a memory file system has nothing cold
        assert seen.looks("touch", "page-fault") > 0.1


def test_a_pipe_is_a_hand_off(observe: Observer) -> None:
    """A read from an empty pipe is `pipe-read`; called deep, it is a wait for the writer's work."""
    seen = observe("pipe")
    assert seen.looks("request_reply", "pipe-read") > 0.5
    where = seen.kinds("dependency-wait")[0]["where"]
    assert (where["function"], where["resource"]) == ("states.pipe.<locals>.writer", "wait in states.request_reply")


def test_a_socket_is_a_network_wait_inside_the_work_and_idle_in_a_servers_loop(observe: Observer) -> None:
    """A client's recv counts as network; the server's recv from its loop is idle."""
    seen = observe("socket_pair")
    assert seen.looks("fetch", "network-receive") > 0.5
    assert seen.kinds("network-wait")[0]["where"]["function"] == "states.fetch"
    assert len(seen.kinds("network-wait")) == 1


def test_a_sleep_in_the_threads_loop_is_its_pace(observe: Observer) -> None:
    """A sleep called from the loop itself is idle."""
    seen = observe("sleep_in_loop")
    assert seen.share("sleep") < 0.05


def test_a_sleep_deep_inside_counts(observe: Observer) -> None:
    """A sleep called deeper is a wait, at the function that sleeps."""
    seen = observe("sleep_deep")
    assert seen.share("sleep") > 0.5
    assert seen.kinds("sleep-wait")[0]["where"]["function"] == "states.back_off"


def test_more_busy_threads_than_cores_wait_for_a_cpu(observe: Observer) -> None:
    """With three busy threads per CPU most of the wall time is run queue."""
    seen = observe("more_threads_than_cores")
    assert seen.share("run_queue") > 0.4
    assert seen.kinds("cpu-starvation")


@pytest.mark.parametrize("state", ["sleep_deep", "producer_waits", "two_cpu_bound"])
def test_the_shares_of_wall_time_add_up_to_one(observe: Observer, state: str) -> None:
    """The partition of busy wall time has no rest outside it."""
    seen = observe(state)
    assert abs(sum(seen.document["wall_time"].values()) - 1.0) < 1e-6
