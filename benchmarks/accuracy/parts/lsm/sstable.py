import os

from lsm import codec
from lsm.memtable import Fences


def blocks(rows, target=codec.BLOCK):
    """Groups of rows of about `target` bytes."""
    group, size = [], 0
    for key, entry in rows:
        group.append((key, entry))
        size += len(entry)
        if size >= target:
            yield group
            group, size = [], 0
    if group:
        yield group


def pack_block(group):
    body = b"".join(len(entry).to_bytes(3, "big") + entry for _, entry in group)
    return codec.seal(codec.deflate(body))


def open_block(framed):
    body = codec.inflate(codec.unseal(framed))
    rows, at = {}, 0
    while at < len(body):
        entry = entry_at(body, at)
        rows[codec.key_of(entry)] = entry
        at += 3 + len(entry)
    return rows


def entry_at(body, at):
    return body[at + 3 : at + 3 + int.from_bytes(body[at : at + 3], "big")]


class SSTable:
    def __init__(self, path, fences, spans):
        self.path = path
        self.fences = Fences(fences)
        self.spans = spans
        self.fd = os.open(path, os.O_RDONLY)

    @classmethod
    def build(cls, path, rows):
        fences, spans, at = [], [], 0
        with open(path, "wb") as file:
            for group in blocks(rows):
                framed = pack_block(group)
                file.write(framed)
                fences.append(group[0][0])
                spans.append((at, len(framed)))
                at += len(framed)
        return cls(path, fences, spans)

    def read(self, number):
        at, length = self.spans[number]
        return open_block(os.pread(self.fd, length, at))

    def rows(self):
        for number in range(len(self.spans)):
            yield from self.read(number).items()

    def drop(self):
        os.close(self.fd)
        os.unlink(self.path)
