"""A side of a comparison with nothing but a throughput."""

from storeprof.compare.measured import Measured, Run


def a_side(rate: float) -> Measured:
    """One run at that rate."""
    about = {"command": ["x"], "machine": {"cpu": "Test CPU"}, "started_at": "now", "exit_statuses": [0]}
    return Measured("a", about, (Run({("throughput", None): rate}, 0, 1),), (), ())
