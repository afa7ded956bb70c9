"""Generators over generators, each of which does as much as the next, thousands of times a second."""

import sys


def work(i):
    for _ in range(60):
        i = i * 31 + 7 & 0xFFFF
    return i


def source():
    i = 0
    while True:
        i += 1
        yield work(i)


def first(rows):
    for row in rows:
        yield work(row)


def second(rows):
    for row in rows:
        yield work(row)


def third(rows):
    for row in rows:
        yield work(row)


print("ready", flush=True)
for _ in third(second(first(source()))):
    pass
sys.exit(1)
