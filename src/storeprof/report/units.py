"""Figures with the unit that a person would give them; `-` where unknown."""

from __future__ import annotations

from collections.abc import Sequence

_DURATIONS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))


def duration(seconds: float | None) -> str:
    """Seconds as s, ms, us or ns."""
    return figure(seconds, "s")


def figure(value: float | None, unit: str, interval: Sequence[float] | None = None) -> str:
    """A figure in `s`, `B` (as MB), `share` (as %) or `1/s` (bare), with its interval: `88.7 (82.6 to 94.8) us`."""
    if value is None:
        return "-"
    word, scale, form = _spelling(value, unit)
    ends = f" ({' to '.join(form.format(end / scale) for end in interval)})" if interval else ""
    return form.format(value / scale) + ends + (f" {word}" if word else "")


def _spelling(value: float, unit: str) -> tuple[str, float, str]:
    """Unit, its size, and the format, by the size of the value."""
    if unit == "s":
        word, scale = next((row for row in _DURATIONS if value >= row[1]), _DURATIONS[-1])
        return word, scale, "{:.3g}"
    if unit == "B":
        return "MB", 1e6, "{:,.0f}"
    return ("%", 0.01, "{:.0f}") if unit == "share" else ("", 1.0, "{:,.0f}")
