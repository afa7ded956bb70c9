"""A view as text to stand in a page: narrow columns, deflated, in base64 (docs/formats/page.md)."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np

from storeprof.views.view import View

Array = np.ndarray[Any, Any]

ALIGNMENT = 8
_NARROWEST = ("u1", "i1", "u2", "i2", "u4", "i4")


def packed(view: View) -> str:
    """The view, ready to be written between two tags."""
    tables: dict[str, Any] = {}
    parts: list[bytes] = []
    at = 0
    for name, columns in view.tables.items():
        described = {}
        for column, values in columns.items():
            narrow = _narrowed(values)
            described[column] = {"type": narrow.dtype.str[1:], "at": at}
            parts.append(_padded(narrow.tobytes()))
            at += len(parts[-1])
        tables[name] = {"rows": len(next(iter(columns.values()))), "columns": described}
    header = json.dumps(view.header | {"tables": tables}, separators=(",", ":"), allow_nan=False).encode()
    start = len(header).to_bytes(4, "little")
    whole = _padded(start + header) + b"".join(parts)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(deflate.compress(whole) + deflate.flush()).decode("ascii")


def _narrowed(values: Array) -> Array:
    """Whole numbers in the narrowest type that holds them; others as they are (float64)."""
    plain = np.asarray(values)
    if plain.dtype.kind == "f" and not (np.isfinite(plain).all() and (plain == np.rint(plain)).all()):
        return plain.astype("<f8")
    low, high = (float(plain.min()), float(plain.max())) if len(plain) else (0.0, 0.0)
    for kind in _NARROWEST:
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return plain.astype("<" + kind)
    return plain.astype("<f8")


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNMENT)
