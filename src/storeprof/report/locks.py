"""Words on the lock with a name that is waited for most, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from storeprof.report.bars import WORDS
from storeprof.report.units import duration

Document = dict[str, Any]
MOST = 1
WORTH_A_WORD = 0.01  # of the time it is held, or waited for


def lock_lines(locks: list[Document], duration_s: float | None) -> Iterator[str]:
    """A line or two where a lock is held or waited for long; of the others the document tells."""
    for lock in [one for one in locks if _matters(one, duration_s)][:MOST]:
        holds, waits = lock["holds"], lock["waits"]
        held = "" if lock["held_share"] is None else f" {lock['held_share']:.0%} of the time"
        yield f"lock {lock['name']}: held{held}, {_times(holds, 'time')}; {_times(waits, 'wait')}"
        longest = max(lock["paths"], key=lambda row: float(row["holds"]["seconds"]), default=None)
        parts = []
        if longest and longest["holds"]["seconds"]:
            share = longest["holds"]["seconds"] / holds["seconds"]
            parts.append(f"held longest in {' > '.join(longest['scopes'][-2:]) or 'no scope'} ({share:.0%})")
        if lock["holders"]:
            did = sorted((lock["holders_did"] or {}).items(), key=lambda item: -item[1])[:2]
            doing = ", ".join(f"{WORDS[key]} {part:.0%}" for key, part in did)
            parts.append(f"meanwhile {lock['holders'][0]['function']}{f' ({doing})' if doing else ''}")
        if parts:
            yield "; ".join(parts)


def _matters(lock: Document, duration_s: float | None) -> bool:
    waited = lock["waits"]["seconds"] / duration_s if duration_s else 0.0
    return bool((lock["held_share"] or 0.0) >= WORTH_A_WORD or waited >= WORTH_A_WORD)


def _times(stays: Document, word: str) -> str:
    count = stays["count"]
    return f"{count:,} {word}{'' if count == 1 else 's'} of {duration(stays['mean_s'])}" if count else f"no {word}s"
