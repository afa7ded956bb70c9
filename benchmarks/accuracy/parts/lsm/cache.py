from collections import OrderedDict


class BlockCache:
    def __init__(self, blocks):
        self.blocks = blocks
        self.held = OrderedDict()
        self.hits = self.misses = 0

    def get(self, key):
        rows = self.held.get(key)
        if rows is None:
            self.misses += 1
            return None
        self.hits += 1
        self.held.move_to_end(key)
        return rows

    def put(self, key, rows):
        self.held[key] = rows
        if len(self.held) > self.blocks:
            self.held.popitem(last=False)
