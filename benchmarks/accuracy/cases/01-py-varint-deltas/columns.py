"""Columns of samples that wait to become a chunk."""


class SeriesBuffer:
    def __init__(self, series, limit=24):
        self.series = series
        self.limit = limit
        self.stamps = []
        self.highest = 0

    def append(self, stamp, value):
        self.stamps.append(stamp)
        if value > self.highest:
            self.highest = value

    def full(self):
        return len(self.stamps) >= self.limit

    def take(self):
        stamps, self.stamps = self.stamps, []
        return stamps
