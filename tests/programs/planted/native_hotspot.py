"""cpu-hotspot in native code: every record is compressed at the dearest level."""

import base64
import random
import zlib

from engine_parts import Store, drive, keys, values


def pack(block):
    return zlib.compress(block, 9)


def main():
    store, known, contents = Store(), keys(5000), values(500)
    block = base64.b64encode(random.Random(1).randbytes(3000))

    def operation(i):
        key, value = known[i % 5000], contents[i % 500]
        pack(block)
        for _ in range(6):
            store.put(key, value)
            store.get(known[(i * 13) % 5000])

    drive(operation)


if __name__ == "__main__":
    main()
