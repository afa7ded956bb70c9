# ruff: noqa: D102 (the methods are those of storeprof.tsdb.files, where each is described)
"""The faulty twin of `storeprof.tsdb.files`: a directory in memory that loses what was not synced."""

import mmap
import threading
from random import Random

PAGE = 4096


class PowerCut(OSError):
    """The machine has died: no operation works any more."""


class Node:
    """One file: what the kernel holds, and what the disk holds."""

    def __init__(self, durable=b""):
        self.durable = durable
        self.now = bytearray(durable)

    def after_crash(self, chance):
        """What the disk is left with: synced contents, and with `chance` any of the other pages too."""
        if chance is None:
            return Node(self.durable)
        new = bytes(self.now)
        size = chance.choice((len(self.durable), len(new)))
        pages = []
        for start in range(0, size, PAGE):
            source = chance.choice((self.durable, new))
            pages.append(source[start : start + PAGE].ljust(min(PAGE, size - start), b"\x00"))
        return Node(b"".join(pages))


class MemoryFile:
    """An open file of the twin."""

    def __init__(self, files, node):
        self.files, self.node = files, node

    def append(self, data):
        self.files.step()
        self.node.now += data
        return len(self.node.now) - len(data)

    def read(self, offset=0, length=-1):
        data = bytes(self.node.now)
        return data[offset : offset + length] if length >= 0 else data[offset:]

    def cut(self, size):
        self.files.step()
        del self.node.now[size:]

    def map(self, size):
        self.files.step()
        self.node.now = mmap.mmap(-1, size)
        return self.node.now

    def sync(self):
        self.files.step()
        self.node.durable = bytes(self.node.now)
        self.files.syncs += 1


class MemoryFiles:
    """Same methods as Files. `steps_left` operations succeed, then the power is cut."""

    def __init__(self, nodes=None):
        self.nodes = dict(nodes or {})
        self.durable_nodes = dict(self.nodes)
        self.syncs = 0
        self.steps = 0
        self.steps_left = None
        self.lock = threading.RLock()  # a crash sees no name operation half done, nor one between two looks

    def step(self):
        with self.lock:
            self.steps += 1
            if self.steps_left is not None:
                if self.steps_left <= 0:
                    raise PowerCut("no power")
                self.steps_left -= 1

    def crash(self, seed=None):
        """The directory as the next start of the machine finds it."""
        chance = None if seed is None else Random(seed)
        with self.lock:
            now, nodes = dict(self.nodes), dict(self.durable_nodes)
        if chance is not None:
            for name in sorted(now.keys() ^ nodes.keys()):
                if chance.random() < 0.5:
                    nodes.pop(name, None)
                    if name in now:
                        nodes[name] = now[name]
        return MemoryFiles({name: node.after_crash(chance) for name, node in nodes.items()})

    def release(self):
        pass

    def names(self):
        return sorted(self.nodes)

    def open(self, name, new=False):
        if new:
            with self.lock:
                self.step()
                self.nodes[name] = Node()
        return MemoryFile(self, self.nodes[name]) if name in self.nodes else self._missing(name)

    def rename(self, old, new):
        with self.lock:
            self.step()
            self.nodes[new] = self.nodes.pop(old)

    def remove(self, name):
        with self.lock:
            self.step()
            del self.nodes[name]

    def sync_directory(self):
        with self.lock:
            self.step()
            self.durable_nodes = dict(self.nodes)

    @staticmethod
    def _missing(name):
        raise FileNotFoundError(name)
