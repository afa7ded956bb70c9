"""io-wait: every record is synced by itself."""

import os
import tempfile

from engine_parts import Store, drive, encode, keys, values


class Log:
    def __init__(self, folder):
        self.file = open(os.path.join(folder, "log"), "wb", buffering=0)

    def append(self, record):
        self.file.write(record)
        self.sync()

    def sync(self):
        os.fsync(self.file.fileno())

    def close(self):
        self.file.close()


def main():
    store, known, contents = Store(), keys(5000), values(500)
    with tempfile.TemporaryDirectory(prefix="data-", dir=".") as folder:
        log = Log(folder)

        def operation(i):
            key, value = known[i % 5000], contents[i % 500]
            log.append(encode(key, value))
            store.put(key, value)

        drive(operation)
        log.close()


if __name__ == "__main__":
    main()
