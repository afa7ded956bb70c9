from typing import TypedDict, final

class PythonStats(TypedDict):
    """Status is "searching" (no runtime seen yet), "attached" or "refused"; `why` is empty when attached."""

    status: str
    version: str | None
    why: str

class ProbeStats(TypedDict):
    """Lost operations were seen under way and had left the ring of finished ones at the next look."""

    attached: bool
    why: str
    dropped_scopes: int
    lost_operations: int

class StackStats(TypedDict):
    """Looks by `py_status` of docs/formats/journal.md, those without a Python stack left out."""

    ok: int
    leaf_moved: int
    partial: int
    torn: int

class SamplerStats(TypedDict):
    """Since the start; `mean_interval_ns` and `look_fraction` (of the threads, at each round) are those in force."""

    rounds: int
    looks: int
    reused: int
    cpu_ns: int
    mean_interval_ns: int
    look_fraction: float
    threads: int
    dropped_looks: int
    gone: bool
    python: PythonStats
    probe: ProbeStats
    stacks: StackStats

@final
class Sampler:
    """Looks at every thread of another process at random intervals, without stopping it.

    A thread of its own looks (it never holds the GIL): intervals are uniform in [0.5, 1.5] x `mean_interval_ns`, and
    grow when that thread would use more than 80 % of `cpu_budget` CPU-seconds per second; with hundreds of threads a
    round looks at a part of them, in turn. Beyond `buffer_bytes` that nobody drained, looks are dropped and counted.
    `seed` 0 takes a random one.

    Raises ProcessLookupError when the process is not there, PermissionError when /proc does not show it,
    ValueError when an option is out of range.
    """

    def __init__(
        self,
        pid: int,
        *,
        mean_interval_ns: int = 5_000_000,
        cpu_budget: float = 0.02,
        seed: int = 0,
        buffer_bytes: int = 268_435_456,
    ) -> None: ...
    def start(self) -> None:
        """Begin, once; turns the probe's gate on when it is found off. Raises RuntimeError the second time."""

    def drain(self) -> list[tuple[int, bytes]]:
        """(table number of docs/formats/journal.md, payload) since the last call; names come before their uses."""

    def probes(self) -> list[tuple[int, int]]:
        """(process number, descriptor) of each probe's memory found since the last call; close the descriptors."""

    def stop(self) -> None:
        """Take the last totals, put the gate back, and join."""

    def alive(self) -> bool:
        """Whether the process is still there; a zombie is not."""

    def stats(self) -> SamplerStats:
        """Figures as of the last round."""

    def set_budget(self, cpu_budget: float) -> None:
        """Change the CPU-seconds per second, from the next round on. Raises ValueError when it is out of range."""
