"""System calls that were counted, exactly, where anybody counted them."""

from __future__ import annotations

from storeprof.recording.model import Recording
from storeprof.system_calls import COLLECTOR


def counted_calls(recording: Recording) -> dict[str, int] | None:
    """`fsyncs` and `system_calls` within the window; None when nobody counted them.

    Of a part of the recording only the program knows that said where this window begins and ends.
    """
    meta = recording.meta
    found = meta.get("counted") if meta.get("window") is None else (meta.get("driven") or {}).get("counted")
    return found if isinstance(found, dict) else None


def why_not_counted(recording: Recording) -> str | None:
    """Why system calls are not known, and what would help; None where they are, and where nobody says."""
    if counted_calls(recording) is not None:
        return None
    of_window = (recording.meta.get("driven") or {}).get("not_counted")
    if of_window:
        return str(of_window)
    rows = [one for one in recording.meta.get("collectors") or [] if one["name"] == COLLECTOR]
    return "; ".join(one[word] for one in rows for word in ("reason", "remedy") if one[word]) or None
