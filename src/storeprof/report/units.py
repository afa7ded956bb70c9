"""Figures with the unit that a person would give them; `-` where unknown."""

from __future__ import annotations

from collections.abc import Sequence

_DURATIONS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))


def duration(seconds: float | None) -> str:
    """Seconds as s, ms, us or ns."""
    return figure(seconds, "s")


def figure(value: float | None, unit: str, interval: Sequence[float] | None = None) -> str:
    """A figure in `s`, `B` (as MB), `share` (as %) or `1/s` (bare), with its interval: `88.7 (82.6–94.8) us`."""
    if value is None:
        return "-"
    word, scale = _unit(value, unit)
    ends = f" ({'–'.join(_digits(end / scale) for end in interval)})" if interval else ""
    return _digits(value / scale) + ends + (f" {word}" if word else "")


def _unit(value: float, unit: str) -> tuple[str, float]:
    """The word for the unit and its size, by the size of the value."""
    if unit == "s":
        return next((row for row in _DURATIONS if value >= row[1]), _DURATIONS[-1])
    if unit == "B":
        return "MB", 1e6
    return ("%", 0.01) if unit == "share" else ("k", 1e3) if value >= 1e5 else ("", 1.0)


def _digits(value: float) -> str:
    """Three digits, all of them before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
