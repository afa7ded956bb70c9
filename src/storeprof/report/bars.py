"""Wall time as a bar of letters: it reads the same in colour, without, in a pipe and in an old terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Letter and words of each kind of wall time; CPU time is the only one that is no letter.
LETTERS = {
    "cpu": "#", "run_queue": "r", "lock": "L", "gil": "G", "io": "D", "network": "N", "dependency": "w", "gc": "c",
    "page_fault": "f", "sleep": "s", "other": "?",
}  # fmt: skip
WORDS = {
    "cpu": "on CPU", "run_queue": "waiting for a CPU", "lock": "lock", "gil": "GIL", "io": "disk", "network": "network",
    "dependency": "other threads' work", "gc": "garbage collection", "page_fault": "page faults from disk",
    "sleep": "sleeping", "other": "other",
}  # fmt: skip
STYLES = {
    "cpu": "green", "run_queue": "yellow", "lock": "red", "gil": "magenta", "io": "blue", "network": "cyan",
    "dependency": "bright_black", "gc": "bright_yellow", "page_fault": "bright_blue", "sleep": "white", "other": "dim",
}  # fmt: skip
SMALLEST_SHARE = 0.005


def cells(shares: Mapping[str, float], width: int) -> dict[str, int]:
    """How many of `width` places each kind takes: by largest remainder, so that they always fill the bar.

    Empty without any time.
    """
    total = sum(shares.values())
    if total <= 0:
        return {}
    exact = {key: shares[key] / total * width for key in LETTERS if shares.get(key, 0.0) > 0}
    taken = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(exact, key=lambda key: taken[key] - exact[key])
    for key in by_remainder[: width - sum(taken.values())]:
        taken[key] += 1
    return {key: count for key, count in taken.items() if count}


def pieces(shares: Mapping[str, float], width: int) -> tuple[tuple[str, str], ...]:
    """The bar in pieces of one style: text and style; blank without any time."""
    found = tuple((LETTERS[key] * count, STYLES[key]) for key, count in cells(shares, width).items())
    return found or ((" " * width, ""),)


def bar(shares: Mapping[str, float], width: int) -> str:
    """The bar with rich's markup for colours."""
    return "".join(f"[{style}]{text}[/]" if style else text for text, style in pieces(shares, width))


def legend(shares: Mapping[str, float], others: Sequence[Mapping[str, float]] = ()) -> str:
    """What the letters of these bars stand for, with their parts of `shares`, largest first (rich's markup)."""
    seen = {key for one in (shares, *others) for key, share in one.items() if share >= SMALLEST_SHARE}
    named = sorted(((shares.get(key, 0.0), key) for key in seen), reverse=True)
    return (
        "  ".join(f"[{STYLES[key]}]{LETTERS[key]}[/] {WORDS[key]} {_percent(share)}" for share, key in named) or "none"
    )


def _percent(share: float) -> str:
    return "<1%" if 0 < share < SMALLEST_SHARE else f"{share:.0%}"
