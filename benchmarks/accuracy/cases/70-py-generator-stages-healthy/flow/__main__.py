"""Run by -m: a pipeline of generators, each stage thin."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "parts"))

import time
from itertools import count, islice

import even_stages as s
from engine_parts import RUN_SECONDS


def source():
    yield from count()


def keyed(rows):
    for i in rows:
        yield i, s.a_key(i), s.b_find(i) + s.c_get(i)


def packed(rows):
    for i, k, n in rows:
        b = s.d_pack(i)
        yield i, k, b, n + s.e_unpack(b) + s.f_ring(i)


def tagged(rows):
    for i, k, b, n in rows:
        yield i, k, b, n + len(s.g_split(i)) + s.h_sum(i) + len(s.m_tags(i)) + s.n_minmax(i)[0]


def sealed(rows):
    for i, k, b, n in rows:
        yield i, b, n + s.i_hash(k) + s.j_crc(b) + len(s.o_upper(s.k_hex(b)))


def told(rows):
    for i, _, n in rows:
        yield n + len(s.p_rev(i)) + len(s.q_fmt(i)) + s.r_cmp(i) + len(s.s_clip(i)) + s.t_count(s.l_join(i))


def main():
    rows, done, start = told(sealed(tagged(packed(keyed(source()))))), 0, time.monotonic()
    while time.monotonic() < start + RUN_SECONDS:
        done += sum(1 for _ in islice(rows, 200))
    print(f"ops={done} seconds={time.monotonic() - start:.3f}")


if __name__ == "__main__":
    main()
