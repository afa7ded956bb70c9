"""What was read of each imported file, in one line each, and what holds most of its bytes."""

from __future__ import annotations

from typing import Any

from storeprof.report.units import figure

_WORDS = (
    ("process", "{}"), ("pid", "pid {}"), ("processes", "{:,} processes"), ("threads", "{:,} threads"),
    ("samples", "{:,} samples"), ("functions", "{:,} functions"), ("leaks", "{:,} leaks"),
    ("leaked_bytes", "{:,} bytes leaked"), ("nodes", "{:,} blocks"), ("bytes", "{:,} bytes"),
    ("classes", "{:,} classes"),
    ("regions", "{:,} regions"), ("allocations", "{:,} allocations"), ("allocated_bytes", "{:,} bytes allocated"),
    ("peak_bytes", "{:,} bytes at the peak"), ("calls", "{:,} calls"), ("system_calls", "{:,} system calls"),
    ("distributions", "{:,} distributions"), ("footprint_bytes", "footprint {:,} bytes"), ("seconds", "{:,.3f} s"),
    ("errors", "{:,} errors"), ("aggregations", "{:,} aggregated values"),
)  # fmt: skip

MOST_LARGEST = 3
_SIZES = ("bytes", "dirty_bytes", "resident_bytes", "virtual_bytes")  # the first of these that a row has
_ZEROS = ("leaks", "leaked_bytes")  # nothing leaked is something to say


def file_line(row: dict[str, Any]) -> str:
    """`leaks.txt (leaks): process fdf, 46,629 leaks, …; it ends after line 2386: …`."""
    figures = row["figures"]
    parts = [
        words.format(figures[key])
        for key, words in _WORDS
        if (isinstance(figures.get(key), (int, float, str)) and figures[key] not in ("", 0))
        or (figures.get(key) == 0 and key in _ZEROS)
    ]
    text = f"{row['file']} ({row['format']}): {', '.join(parts) or 'read'}"
    return f"{text}; {row['cut_short']}" if row["cut_short"] else text


def largest_line(row: dict[str, Any]) -> str | None:
    """`most of it: CFString 12.3 MB in 4,321 blocks, …`; None where the file does not say what its bytes are."""
    said = []
    for one in (row["figures"].get("largest") or [])[:MOST_LARGEST]:
        size = next((one[key] for key in _SIZES if one.get(key)), None)
        if size:
            blocks = f" in {one['count']:,} blocks" if one.get("count") else ""
            said.append(f"{one['name']} {_bytes(size)}{blocks}")
    return f"most of it: {', '.join(said)}" if said else None


def _bytes(size: float) -> str:
    return figure(size, "B") if size >= 1e6 else f"{size:,.0f} bytes"
