"""A finding says how its fix is proven."""

from __future__ import annotations

from storeprof.analysis.verification import how_to_verify


def test_what_was_recorded_is_what_is_measured_again() -> None:
    """Engines are compared by revision, commands as they were given, attached programs by recordings."""
    assert how_to_verify({"engine": "tsdb", "workload": "mixed", "command": ["python3"]}) == (
        "storeprof duel --engine tsdb --workload mixed --baseline-rev REVISION-BEFORE --candidate-rev HEAD"
    )
    assert how_to_verify({"command": ["python3", "my app.py"]}) == (
        "storeprof duel --baseline 'python3 '\"'\"'my app.py'\"'\"'' --candidate 'THE SAME WITH THE CHANGE'"
    )
    assert "storeprof compare" in str(how_to_verify({"attached_pid": 7}))
    assert how_to_verify({}) is None
