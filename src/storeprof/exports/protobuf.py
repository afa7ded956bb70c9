"""Protocol Buffers as they lie on the wire: enough to write messages whose field numbers are known.

Writing needs three of the six wire types; the library would be a dependency of 1 MB and generated code of 600 KB for
formats that we only write. The tests read the results by it.
"""

from __future__ import annotations

import struct

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def varint(value: int) -> bytes:
    """A whole number in groups of seven bits; negative ones in 64-bit two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A field of an integer type (not sint or fixed)."""
    return varint(field << 3 | _VARINT) + varint(value)


def double(field: int, value: float) -> bytes:
    """A field of type double."""
    return varint(field << 3 | _FIXED64) + struct.pack("<d", value)


def message(field: int, *parts: bytes) -> bytes:
    """A field that holds a message (its fields in `parts`), or bytes."""
    payload = b"".join(parts)
    return varint(field << 3 | _BYTES) + varint(len(payload)) + payload


def text(field: int, value: str) -> bytes:
    """A field of type string."""
    return message(field, value.encode("utf-8", "replace"))


def packed(field: int, values: list[int]) -> bytes:
    """A repeated field of an integer type, packed."""
    return message(field, *(varint(value) for value in values))
