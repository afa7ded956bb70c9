"""What the last process left in its logs becomes blocks, before anything new is written."""

from __future__ import annotations

from storeprof.tsdb.blocks import BlockManager
from storeprof.tsdb.files import Files
from storeprof.tsdb.samples import tidy, unpack
from storeprof.tsdb.series import SeriesIndex
from storeprof.tsdb.wal import log_name, read_log


def recover(files: Files, series: SeriesIndex, blocks: BlockManager) -> int:
    """Empties the directory of logs and unfinished files; returns the number of the next generation.

    It can die at any point and be started again: a log goes only when its block file is durable, and a log that has a block
    file is not read. Raises CorruptionError, OSError.
    """
    names = files.names()
    for name in names:
        if name.endswith(".tmp"):
            files.remove(name)
    stored = set(blocks.generations())
    logs = [int(name[4:-4]) for name in names if name.startswith("wal-") and name.endswith(".log")]
    left: dict[int, dict[int, bytearray]] = {}
    highest = blocks.highest_series()
    for generation in logs:
        if generation not in stored:
            left[generation], promised = _chunks(files, generation)
            highest = max(highest, promised)
    series.settle(highest)
    for generation in sorted(logs):
        chunks = left.get(generation, {})
        known = ((number, chunks[number]) for number in sorted(chunks) if number <= len(series))
        samples = ((number, tidy(unpack(bytes(packed)))) for number, packed in known)
        blocks.store_generation(generation, samples, series.sync)
        files.remove(log_name(generation))
    return max([0, *stored, *logs]) + 1


def _chunks(files: Files, generation: int) -> tuple[dict[int, bytearray], int]:
    """Packed samples by series, and the highest series whose sample was promised."""
    chunks: dict[int, bytearray] = {}
    highest = 0
    for series, sample, promised in read_log(files, generation):
        chunk = chunks.get(series)
        if chunk is None:
            chunk = chunks[series] = bytearray()
        chunk += sample
        if promised and series > highest:
            highest = series
    return chunks, highest
