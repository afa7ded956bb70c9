# Allocations whose sizes and places are known: 20 MB live at the peak, 3 MB kept, many short-lived ones.
KEPT = []


def hold_pages():
    return [bytearray(1 << 20) for _ in range(20)]


def keep_rows():
    for _ in range(3000):
        KEPT.append(bytearray(1000))


def brief_rows():
    for _ in range(20000):
        bytes(600)


def main():
    keep_rows()
    brief_rows()
    pages = hold_pages()
    print(f"ops={len(pages)} seconds=1")


main()
