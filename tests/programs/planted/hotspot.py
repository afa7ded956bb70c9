"""cpu-hotspot: every value is summed byte by byte; about half of the CPU time."""

from engine_parts import Store, drive, keys, values


def parity(value):
    total = 0
    for byte in value:
        total = (total + byte) & 0xFFFF
    return total


def main():
    store, known, contents = Store(), keys(5000), values(500)

    def operation(i):
        value = contents[i % 500]
        parity(value)
        store.put(known[i % 5000], value)
        store.get(known[(i * 13) % 5000])

    drive(operation)


if __name__ == "__main__":
    main()
