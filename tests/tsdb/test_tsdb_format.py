"""The files are what docs/formats/tsdb.md says, and damage to them is found."""

import json
import struct
import zlib
from array import array

import pytest
from memory_files import MemoryFiles
from storage_bench import ALL, NEVER_S, Bench, contents, log_left_behind

from storeprof.tsdb import CorruptionError, StorageError, StorageImpl, StorageOptions

LOG = "wal-00000001.log"
BLOCKS = "blocks-00000001.tsb"
QUIET = StorageOptions(sync_interval_s=NEVER_S)


def reopened(files):
    """Everything that a storage on these files holds."""
    with StorageImpl.open("", QUIET, files=files) as storage:
        return contents(storage)


def closed_with(samples):
    """Files of a storage that was closed with so many samples of one series."""
    files = MemoryFiles()
    with StorageImpl.open("", QUIET, files=files) as storage:
        for timestamp in range(samples):
            storage.write({"series": "a"}, timestamp * 10, timestamp * 0.5)
    return files


def flip(files, name, offset):
    """Changes one bit of a file."""
    files.nodes[name].now[offset] ^= 1


def test_log_header_and_slots_are_as_documented():
    """A log has magic, generation, watermark and its CRC, then slots with CRC, series and sample."""
    data = bytes(log_left_behind(3).nodes[LOG].now)
    magic, generation, watermark, crc = struct.unpack_from("<8sQQI", data)
    assert (magic, generation, watermark) == (b"STSWAL\x01\x00", 1, 64 + 3 * 24)
    assert crc == zlib.crc32(data[16:24])
    for number in range(3):
        crc, series, timestamp, value = struct.unpack_from("<IIqd", data, 64 + 24 * number)
        assert (series, timestamp, value) == (1, number, number * 0.5)
        start = zlib.crc32(struct.pack("<QI", 1, 1))
        assert crc == zlib.crc32(struct.pack("<qd", timestamp, value), start)
    assert not data[64 + 3 * 24 :].strip(b"\x00")


def test_series_log_is_as_documented():
    """A series record has a CRC, the length, the number and the labels as JSON in sorted order."""
    files = MemoryFiles()
    with StorageImpl.open("", QUIET, files=files) as storage:
        storage.write({"b": "ü", "a": "1"}, 0, 0.0)
    data = bytes(files.nodes["series.log"].now)
    assert data[:8] == b"STSSER\x01\x00"
    crc, length, number = struct.unpack_from("<III", data, 8)
    assert (crc, number, len(data)) == (zlib.crc32(data[12:]), 1, 20 + length)
    assert list(json.loads(data[20:]).items()) == [("a", "1"), ("b", "ü")]


def test_block_file_is_as_documented():
    """A block file has a header, blocks with two CRCs, and an end that counts the blocks."""
    data = bytes(closed_with(5).nodes[BLOCKS].now)
    assert data[:16] == b"STSBLK\x01\x00" + struct.pack("<Q", 1)
    crc, length, series, samples, first, last, own = struct.unpack_from("<IIIIqqI", data, 16)
    assert (series, samples, first, last) == (1, 5, 0, 40)
    assert own == zlib.crc32(data[16:48])
    payload = data[52 : 52 + length]
    assert crc == zlib.crc32(payload)
    assert payload[0] == 1
    plain = zlib.decompress(payload[1:])
    assert array("b", plain[:5]).tolist() == [0, 10, 0, 0, 0]
    assert bytes(plain[5 + byte * 5] for byte in range(8)) == struct.pack("<d", 0.0)
    end = struct.unpack_from("<IIIIqqI", data, 52 + length)
    assert end[:6] == (0, 0, 0, 1, 0, 0)
    assert len(data) == 52 + length + 36


def test_log_is_replayed():
    """What a log holds is in the storage that opens it, and the log is gone."""
    files = log_left_behind(100)
    assert len(reopened(files)) == 100
    assert LOG not in files.names()


def test_damage_below_the_watermark_is_an_error():
    """A bad slot below the watermark is reported with file and offset, and the storage does not open."""
    files = log_left_behind(10)
    flip(files, LOG, 64 + 24 * 4 + 9)
    with pytest.raises(CorruptionError, match=r"wal-00000001\.log is damaged at byte 160"):
        reopened(files)


def test_unfilled_slot_below_the_watermark_is_an_error():
    """A slot of zeros below the watermark is damage as well."""
    files = log_left_behind(10)
    files.nodes[LOG].now[64:88] = bytes(24)
    with pytest.raises(CorruptionError):
        reopened(files)


def test_bad_slot_above_the_watermark_is_skipped():
    """A bad slot above the watermark is ignored, valid ones behind it are replayed."""
    files = log_left_behind(10, unsynced=10)
    flip(files, LOG, 64 + 24 * 15 + 9)
    found = reopened(files)
    assert sorted(timestamp for _, timestamp in found) == [*range(15), *range(16, 20)]


def test_truncated_tail_is_ignored():
    """A log that is cut off above its watermark gives what is left, whole records only."""
    files = log_left_behind(10, unsynced=10)
    node = files.nodes[LOG]
    node.now = bytearray(node.now[: 64 + 24 * 14 + 5])
    assert len(reopened(files)) == 14


def test_log_cut_below_its_watermark_is_an_error():
    """A log that is shorter than its watermark has lost synced data."""
    files = log_left_behind(10)
    node = files.nodes[LOG]
    node.now = bytearray(node.now[: 64 + 24 * 5])
    with pytest.raises(CorruptionError):
        reopened(files)


def test_header_of_zeros_promises_nothing():
    """A log whose header is all zeros was never synced: what is whole is replayed, nothing is missed."""
    files = log_left_behind(10)
    files.nodes[LOG].now[:64] = bytes(64)
    flip(files, LOG, 64 + 9)
    assert len(reopened(files)) == 9


@pytest.mark.parametrize("offset", [0, 6, 8, 16, 24])
def test_damaged_log_header_is_an_error(offset):
    """Any other header that isn't whole, another version included, is refused."""
    files = log_left_behind(10)
    flip(files, LOG, offset)
    with pytest.raises(CorruptionError):
        reopened(files)


def test_log_with_a_block_file_is_not_read():
    """A log whose block file exists is removed unread, so that no sample is there twice."""
    files = log_left_behind(10)
    blocks = closed_with(3).nodes[BLOCKS]
    files.nodes[BLOCKS] = blocks
    assert len(reopened(files)) == 3
    assert LOG not in files.names()


def test_unfinished_block_file_is_removed():
    """A .tmp that a dead process left is removed on open."""
    files = closed_with(3)
    files.open("blocks-00000009.tsb.tmp", new=True).append(b"half")
    assert len(reopened(files)) == 3
    assert not [name for name in files.names() if name.endswith(".tmp")]


def test_torn_series_tail_is_cut_off():
    """A bad record at the end of the series log that nothing refers to is cut off, and numbers go on."""
    files = closed_with(3)
    files.nodes["series.log"].now += b"\x01\x02\x03" * 9
    with StorageImpl.open("", QUIET, files=files) as storage:
        storage.write({"series": "b"}, 1, 1.0)
    assert len(reopened(files)) == 4


def test_damaged_series_record_in_use_is_an_error():
    """A bad series record that a block refers to is damage."""
    files = closed_with(3)
    flip(files, "series.log", 22)
    with pytest.raises(CorruptionError, match=r"series\.log is damaged at byte 8"):
        reopened(files)


def test_series_missing_for_a_synced_log_is_an_error():
    """A slot below a watermark that refers to a series not in the series log is damage."""
    files = log_left_behind(3)
    del files.nodes["series.log"]
    with pytest.raises(CorruptionError):
        reopened(files)


def test_other_version_of_the_series_log_is_refused():
    """A series log of another version is refused."""
    files = closed_with(3)
    flip(files, "series.log", 6)
    with pytest.raises(CorruptionError, match="version 1"):
        reopened(files)


@pytest.mark.parametrize("offset", [0, 6, 8, 16, 20, 24, 28, 36, 44, 48, -1, -10])
def test_damaged_block_header_is_an_error_on_open(offset):
    """A damaged file header, block header or end of a block file is an error on open."""
    files = closed_with(50)
    flip(files, BLOCKS, offset)
    with pytest.raises(CorruptionError, match=BLOCKS):
        reopened(files)


def test_block_file_without_its_end_is_an_error():
    """A block file that was cut short is an error on open."""
    files = closed_with(50)
    del files.nodes[BLOCKS].now[-36:]
    with pytest.raises(CorruptionError, match="end is missing"):
        reopened(files)


def test_damaged_payload_is_an_error_of_the_read():
    """A damaged payload is an error of the read that needs it; other series are served."""
    files = MemoryFiles()
    with StorageImpl.open("", QUIET, files=files) as storage:
        for series in "ab":
            storage.write({"series": series}, 1, 1.0)
    flip(files, BLOCKS, 56)
    with StorageImpl.open("", QUIET, files=files) as storage:
        assert len(storage.read({"series": "b"}, *ALL).timestamps) == 1
        with pytest.raises(CorruptionError, match="does not match its checksum"):
            storage.read({"series": "a"}, *ALL)


def test_full_log_begins_the_next_generation():
    """A log is never larger than wal_bytes; what does not fit goes into the next generation."""
    bench = Bench(wal_bytes=64 + 24 * 10)
    bench.write(25)
    bench.storage.close()
    assert [name for name in bench.files.names() if name.startswith("blocks")] == [
        f"blocks-{number:08d}.tsb" for number in (1, 2, 3)
    ]


def test_error_is_a_storage_error_with_file_and_offset():
    """Damage is a StorageError that carries the file and the offset."""
    error = CorruptionError("wal-00000001.log", 64, "why")
    assert isinstance(error, StorageError)
    assert (error.file, error.offset) == ("wal-00000001.log", 64)
