from bisect import bisect_left


class MemTable:
    """Entries by key, and how many bytes they have."""

    def __init__(self):
        self.entries = {}
        self.bytes = 0

    def add(self, key, entry):
        self.bytes += len(entry) - len(self.entries.get(key, b""))
        self.entries[key] = entry

    def find(self, key):
        return self.entries.get(key)

    def in_order(self):
        entries = self.entries
        return [(key, entries[key]) for key in sorted(entries)]


class Fences:
    """First keys of blocks."""

    def __init__(self, keys):
        self.keys = keys

    def block_of(self, key):
        at = bisect_left(self.keys, key)
        return at if at < len(self.keys) and self.keys[at] == key else at - 1
