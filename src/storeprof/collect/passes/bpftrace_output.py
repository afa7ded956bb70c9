"""What `bpftrace -f json` prints: a JSON object a line, one for each map at the end.

{"type": "map",  "data": {"@calls": {"0": 5}}}              keys of several parts are joined by commas
{"type": "hist", "data": {"@latency": {"0": [{"min": 512, "max": 1023, "count": 3}, …]}}}
{"type": "printf", "data": "…"}, {"type": "attached_probes", …}, {"type": "lost_events", "data": {"events": 3}}
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from storeprof.errors import CollectorError

READY: Final = "storeprof ready"


@dataclass(frozen=True, slots=True)
class Bucket:
    """`count` values from `low` up to and including `high` (None: without an end)."""

    low: int
    high: int | None
    count: int


@dataclass(frozen=True, slots=True)
class BpftraceMaps:
    """Maps by name and key; `ready` says that the probes were attached, `lost` how many events had no room."""

    values: dict[str, dict[tuple[str, ...], int]] = field(default_factory=dict)
    histograms: dict[str, dict[tuple[str, ...], list[Bucket]]] = field(default_factory=dict)
    texts: dict[str, dict[tuple[str, ...], str]] = field(default_factory=dict)
    ready: bool = False
    lost: int = 0
    cut_short: bool = False


def parse_bpftrace(lines: Iterable[str]) -> BpftraceMaps:
    """Read the output; raises CollectorError with number and text of a line that is none of bpftrace's.

    A last line without its end is left out, and `cut_short` says so.
    """
    values: dict[str, dict[tuple[str, ...], int]] = {}
    histograms: dict[str, dict[tuple[str, ...], list[Bucket]]] = {}
    texts: dict[str, dict[tuple[str, ...], str]] = {}
    ready, lost = False, 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_object)
            kind, data = row["type"], row.get("data")
            if kind == "printf":
                ready = ready or str(data).strip() == READY
            elif kind == "lost_events":
                lost += int(data["events"])
            elif kind == "map":
                for name, entries in data.items():
                    _add(entries, values.setdefault(name, {}), texts.setdefault(name, {}))
            elif kind in {"hist", "stats"}:
                for name, entries in data.items():
                    histograms.setdefault(name, {}).update((_key(key), _buckets(rows)) for key, rows in _keyed(entries))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if not line.endswith("\n"):
                return BpftraceMaps(values, histograms, texts, ready, lost, cut_short=True)
            what = f"bpftrace's output, line {number}: can't be read ({type(error).__name__}): {line.strip()[:100]!r}"
            raise CollectorError(what) from None
    return BpftraceMaps(values, histograms, texts, ready, lost)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key may come twice (texts that differ behind their end): counts and buckets are of one key then."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        before = found.get(key)
        if isinstance(before, list) and isinstance(value, list):
            found[key] = before + value
        else:
            found[key] = before + value if isinstance(before, int) and isinstance(value, int) else value
    return found


def _keyed(entries: Any) -> list[tuple[str, Any]]:
    """A map without a key holds its value alone."""
    return list(entries.items()) if isinstance(entries, dict) else [("", entries)]


def _add(entries: Any, values: dict[tuple[str, ...], int], texts: dict[tuple[str, ...], str]) -> None:
    for key, value in _keyed(entries):
        if isinstance(value, str):
            texts[_key(key)] = value
        elif isinstance(value, int) and not isinstance(value, bool):
            values[_key(key)] = value
        else:
            raise ValueError(f"{value!r} is no count")


def _key(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _buckets(rows: Any) -> list[Bucket]:
    found = [
        Bucket(int(row.get("min", 0)), int(row["max"]) if "max" in row else None, int(row["count"])) for row in rows
    ]
    if any(one.count < 0 or (one.high is not None and one.high < one.low) for one in found):
        raise ValueError("no histogram")
    return found


def quantile_ns(buckets: list[Bucket], share: float) -> float | None:
    """The upper edge of the bucket that holds a quantile; None without values. Buckets double, so it is a bound."""
    total = sum(bucket.count for bucket in buckets)
    seen = 0
    for bucket in sorted(buckets, key=lambda one: one.low):
        seen += bucket.count
        if total and seen >= share * total:
            return float(bucket.high + 1 if bucket.high is not None else bucket.low)
    return None
