"""Timestamps as differences of differences, values as XOR with their neighbour, then zlib.

Both are the ideas of Gorilla (Pelkonen et al., VLDB 2015) at the width of bytes instead of bits: bit streams
in Python would cost microseconds a sample, whereas every step here is one call that walks an array in C.
"""

import zlib
from array import array
from itertools import accumulate, chain, islice
from operator import sub, xor

from storeprof.probe import profile_function
from storeprof.tsdb.samples import Samples

_LEVEL = 1  # higher levels save little on doubles and take several times as long
_TYPES = {1: "b", 2: "h", 4: "i", 8: "q"}
_RAW = 0  # the width that stands for plain timestamps, where a difference doesn't fit 8 bytes


class CompressionEngine:
    """Turns the samples of a block into bytes and back: the payload in docs/formats/tsdb.md. Has no state."""

    @profile_function
    def compress(self, samples: Samples) -> bytes:
        """The payload; at least one sample."""
        steps = list(map(sub, islice(samples.timestamps, 1, None), samples.timestamps))
        turns = [0, *steps[:1], *map(sub, islice(steps, 1, None), steps)]
        bits = max(max(turns).bit_length(), (~min(turns)).bit_length()) + 1
        width = next((width for width in _TYPES if bits <= 8 * width), _RAW)
        timestamps = samples.timestamps if width == _RAW else array(_TYPES[width], turns)
        doubles = array("Q", samples.values.tobytes())
        changes = array("Q", map(xor, doubles, chain((0,), doubles))).tobytes()
        shuffled = b"".join(changes[byte::8] for byte in range(8))
        return bytes((width,)) + zlib.compress(timestamps.tobytes() + shuffled, _LEVEL)

    @profile_function
    def decompress(self, payload: bytes, first: int, count: int) -> Samples:
        """The samples of a payload whose first timestamp is `first`. Raises ValueError, zlib.error."""
        width, plain = payload[0], zlib.decompress(payload[1:])
        split = count * (width or 8)
        if width not in (*_TYPES, _RAW) or len(plain) != split + 8 * count:
            raise ValueError(f"width {width} and {len(plain)} bytes are not {count} samples")
        if width == _RAW:
            timestamps = array("q", plain[:split])
        else:
            steps = accumulate(array(_TYPES[width], plain[:split]))
            timestamps = array("q", islice(accumulate(steps, initial=first), 1, None))
        changes = bytearray(8 * count)
        for byte in range(8):
            changes[byte::8] = plain[split + byte * count : split + (byte + 1) * count]
        doubles = array("Q", accumulate(array("Q", bytes(changes)), xor))
        return Samples(timestamps, array("d", doubles.tobytes()))
