import os

from lsm import codec


class Segment:
    def __init__(self, path):
        self.path = path
        self.file = open(path, "wb", buffering=1 << 16)
        self.size = 0

    def write(self, framed):
        self.file.write(framed)
        self.size += len(framed)

    def retire(self):
        self.file.close()
        os.unlink(self.path)


class WriteAheadLog:
    def __init__(self, folder, limit=1 << 20):
        self.folder = folder
        self.limit = limit
        self.number = 0
        self.segment = Segment(self.name())

    def name(self):
        return os.path.join(self.folder, f"{self.number:06d}.wal")

    def append(self, entry):
        self.segment.write(codec.seal(entry))
        if self.segment.size > self.limit:
            self.rotate()

    def rotate(self):
        self.segment.retire()
        self.number += 1
        self.segment = Segment(self.name())

    def close(self):
        self.segment.retire()
