"""cpu-hotspot in native code: every record is compressed at the dearest level."""

import zlib

from engine_parts import Store, drive, encode, keys, values


def pack(record):
    return zlib.compress(record * 8, 9)


def main():
    store, known, contents = Store(), keys(5000), values(500)

    def operation(i):
        key, value = known[i % 5000], contents[i % 500]
        pack(encode(key, value))
        for _ in range(3):
            store.put(key, value)
            store.get(known[(i * 13) % 5000])

    drive(operation)


if __name__ == "__main__":
    main()
