"""What an analysis is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Thresholds of the method, as shares of busy wall; the throughput asked for, if any, and functions to have probes.

    Of a tail: P99 over P50, the share of the gap that makes one cause of it, and the gap in seconds below which nobody
    would mend it (a buffer that is written out every hundredth call is meant to be so).
    """

    bottleneck_share: float = 0.10
    hotspot_share: float = 0.05
    bottleneck_speedup: float = 1.05
    unplaced_share: float = 0.10
    tail_ratio: float = 5.0
    tail_share: float = 0.50
    tail_floor_s: float = 0.0005
    target_per_s: float | None = None
    fold_templates: bool = False
    expected: tuple[str, ...] = ()
