"""Sharded ingest: one process routes batches, a worker process per shard keeps the rows of its shard."""

import multiprocessing
import os
import sys
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))
from engine_parts import PLANT, RUN_SECONDS, Store, keys, values

SHARDS = 2
BATCH = 250
AHEAD = 3  # batches on their way to a shard before its answer is waited for


def fingerprint(row):
    """Checksum of a row as older versions wrote it: one byte at a time."""
    state = 17
    for byte in row:
        state = (state * 31 + byte) & 0xFFFFFFFF
    return state


def quick_fingerprint(row):
    return zlib.crc32(row)


class Shard:
    """What one worker process keeps."""

    def __init__(self):
        self.store = Store()
        self.marks = {}
        self.sign = fingerprint if PLANT else quick_fingerprint

    def apply(self, batch):
        for key, value in batch:
            self.store.put(key, value)
            self.store.get(key)
            self.marks[key] = self.sign(value)
        return len(batch)


def serve(pipe):
    """Main loop of a worker process."""
    shard = Shard()
    while (batch := pipe.recv()) is not None:
        pipe.send(shard.apply(batch))


class Router:
    """Hands each shard its batches, a few of them ahead."""

    def __init__(self):
        self.pipes, self.workers = [], []
        for number in range(SHARDS):
            ours, theirs = multiprocessing.Pipe()
            worker = multiprocessing.Process(target=serve, args=(theirs,), name=f"shard-{number}")
            worker.start()
            self.pipes.append(ours)
            self.workers.append(worker)

    def ingest(self, batches, seconds):
        """Send batches until the time is up; returns rows stored and how long it took."""
        start = time.monotonic()
        under_way, rows, number = [0] * SHARDS, 0, 0
        while time.monotonic() < start + seconds:
            shard = number % SHARDS
            if under_way[shard] == AHEAD:
                rows += self.pipes[shard].recv()
                under_way[shard] -= 1
            self.pipes[shard].send(batches[number % len(batches)])
            under_way[shard] += 1
            number += 1
        rows += sum(self.pipes[shard].recv() for shard in range(SHARDS) for _ in range(under_way[shard]))
        return rows, time.monotonic() - start

    def close(self):
        for pipe, worker in zip(self.pipes, self.workers, strict=True):
            pipe.send(None)
            worker.join()


def main():
    names, bodies = keys(4000), values(500)
    rows = [(names[i % len(names)], bodies[i % len(bodies)]) for i in range(8000)]
    batches = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
    router = Router()
    done, seconds = router.ingest(batches, RUN_SECONDS)
    router.close()
    print(f"ops={done} seconds={seconds:.3f}", flush=True)


if __name__ == "__main__":
    multiprocessing.set_start_method(os.environ.get("START_METHOD", "fork"))
    main()
