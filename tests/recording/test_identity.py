"""Identities of processes and threads."""

from __future__ import annotations

from storeprof.recording.identity import process_id, thread_id


def test_each_part_of_a_process_identity_counts() -> None:
    """Boot, pid, start time and exec number each make another process."""
    ids = {
        process_id("a", 1, 2, 0),
        process_id("b", 1, 2, 0),
        process_id("a", 2, 2, 0),
        process_id("a", 1, 3, 0),
        process_id("a", 1, 2, 1),
    }
    assert len(ids) == 5


def test_a_tid_that_is_used_again_is_another_thread() -> None:
    """The start time tells two threads with one tid apart."""
    process = process_id("a", 1, 2, 0)
    assert thread_id(process, 7, 100) != thread_id(process, 7, 101)


def test_identities_fit_a_signed_64_bit_column() -> None:
    """Identities are 63 bits, so that every database can hold them."""
    assert all(0 <= process_id("x", n, n, 0) < 1 << 63 for n in range(200))
