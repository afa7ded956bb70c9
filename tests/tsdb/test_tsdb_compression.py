"""Compression gives back what it was given, bit by bit."""

import struct
import zlib
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storeprof.tsdb.compression import CompressionEngine
from storeprof.tsdb.samples import Samples

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
BITS = st.integers(0, (1 << 64) - 1)


def of_bits(numbers):
    """Doubles with these bits, whatever they mean."""
    return array("d", array("Q", numbers).tobytes())


@given(st.dictionaries(INT64, BITS, min_size=1, max_size=60))
def test_any_samples_come_back(samples):
    """Any timestamps that rise strictly and any bits of values come back as they were."""
    given_samples = Samples(array("q", sorted(samples)), of_bits(samples[t] for t in sorted(samples)))
    engine = CompressionEngine()
    found = engine.decompress(engine.compress(given_samples), given_samples.timestamps[0], len(samples))
    assert found.timestamps == given_samples.timestamps
    assert found.values.tobytes() == given_samples.values.tobytes()


@pytest.mark.parametrize(
    ("timestamps", "width"),
    [
        ([5], 1),
        ([0, 127, 254], 1),
        ([0, 128, 256], 2),
        ([0, 40_000, 80_000], 4),
        ([0, 1 << 40, 1 << 41], 8),
        ([-(1 << 63), (1 << 63) - 1], 0),
    ],
)
def test_width_is_the_smallest_that_fits(timestamps, width):
    """The first byte is the smallest width that holds all differences of differences, 0 when none does."""
    samples = Samples(array("q", timestamps), array("d", [1.0] * len(timestamps)))
    assert CompressionEngine().compress(samples)[0] == width


def test_regular_samples_shrink():
    """A minute of samples taken each 10 ms with equal values takes under a twentieth of its size."""
    samples = Samples(array("q", range(0, 60_000, 10)), array("d", [21.5] * 6000))
    assert len(CompressionEngine().compress(samples)) < 6000 * 16 / 20


@pytest.mark.parametrize("payload", [b"\x01garbage", b"\x03" + zlib.compress(bytes(27)), b"\x01" + zlib.compress(b"")])
def test_foreign_bytes_are_refused(payload):
    """A payload that is none of ours is an error and never samples."""
    with pytest.raises((ValueError, zlib.error)):
        CompressionEngine().decompress(payload, 0, 3)


def test_payload_needs_no_more_than_the_document_says():
    """A payload can be decoded from the document alone: width, differences of differences, shuffled XOR."""
    values = [1.0, 1.5, -2.25]
    samples = Samples(array("q", [100, 110, 125]), array("d", values))
    payload = CompressionEngine().compress(samples)
    plain = zlib.decompress(payload[1:])
    turns = struct.unpack("<3b", plain[:3])
    assert turns == (0, 10, 5)
    bits, found = 0, []
    for number in range(3):
        bits ^= int.from_bytes(bytes(plain[3 + byte * 3 + number] for byte in range(8)), "little")
        found.append(struct.unpack("<d", bits.to_bytes(8, "little"))[0])
    assert found == values
