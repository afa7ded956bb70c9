"""A document store that keeps rows as JSON and parses them again on every read."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import json
import re

from lsm.engine import PLANT, Engine, scratch, until_time_is_up

PATH = re.compile(r"^(?P<collection>[a-z]+)/(?P<id>\d+)$")


class Row:
    def __init__(self, number, fields, revision):
        self.number, self.fields, self.revision = number, fields, revision

    @classmethod
    def from_text(cls, text):
        fields = json.loads(text)
        return cls(fields["id"], fields, fields.pop("_rev"))


class Collection:
    """Rows by number; what was parsed before is only kept without the plant."""

    def __init__(self, engine, name):
        self.engine = engine
        self.name = name
        self.parsed = {}

    def address(self, number):
        path = f"{self.name}/{number}"
        assert PATH.match(path)
        return path.encode()

    def store(self, number, text):
        if (row := self.parsed.get(number)) is not None:
            row.revision += 1
        self.engine.put(self.address(number), text)

    def fetch(self, number):
        row = self.parsed.get(number)
        if row is None:
            text = self.engine.get(self.address(number))
            if text is None:
                return None
            row = Row.from_text(text)
            if not PLANT:
                self.parsed[number] = row
        return row


def documents(count):
    for number in range(count):
        samples = [{"t": number * 10 + n, "v": (number * 31 + n) % 977, "q": "good"} for n in range(9)]
        yield json.dumps({"id": number, "_rev": 1, "site": f"plant-{number % 7}", "samples": samples}).encode()


def main():
    texts = list(documents(1000))
    with scratch() as folder:
        engine = Engine(folder, memtable_bytes=1_500_000)
        rows = Collection(engine, "readings")
        found = 0
        for i in until_time_is_up():
            if i % 4 == 0:
                number = (i // 4 * 7) % 1000
                rows.store(number, texts[number])
            else:
                found += rows.fetch((i * 31) % 1000) is not None
        engine.close()


if __name__ == "__main__":
    main()
