"""What was read of each imported file, in one line each."""

from __future__ import annotations

from typing import Any

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
