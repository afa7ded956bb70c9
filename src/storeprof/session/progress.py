"""The progress line: on a terminal it is rewritten in place, elsewhere nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO


class Progress:
    """Says how long a recording runs and how much was seen, on standard error."""

    def __init__(self, stream: TextIO, total_s: float | None = None) -> None:
        self._stream = stream
        self._total_s = total_s
        self._shown = False
        self._live = stream.isatty()

    def update(self, elapsed_s: float, stats: Mapping[str, object]) -> None:
        """Rewrite the line."""
        if not self._live:
            return
        of = f" of {self._total_s:.0f}" if self._total_s else ""
        python = stats.get("python")
        status = python.get("status") if isinstance(python, dict) else None
        line = f"storeprof: {elapsed_s:.0f}{of} s, {stats.get('looks', 0)} looks at {stats.get('threads', 0)} threads"
        line += ", Python stacks" if status == "attached" else ""
        self._stream.write(f"\r\x1b[2K{line}; Ctrl-C ends early and keeps the recording")
        self._stream.flush()
        self._shown = True

    def say(self, words: str) -> None:
        """Rewrite the line with these words."""
        if self._live:
            self._stream.write(f"\r\x1b[2Kstoreprof: {words}")
            self._stream.flush()
            self._shown = True

    def done(self) -> None:
        """Clear the line."""
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
