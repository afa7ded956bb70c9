"""Twenty small stages of about equal cost: `work` is one record's way through an engine; no plant in here."""

import binascii
import bisect
import hashlib
import struct
import zlib

_sorted = sorted((i * 7919) % 100003 for i in range(4000))
_table = {b"k%05d" % i: i for i in range(4000)}
_ring = [0] * 64
_words = [b"temp", b"rack", b"site", b"rpm", b"flow", b"volt", b"unit", b"line"]


def a_key(i):
    k = b"k%05d" % (i % 4000)
    for _ in range(6):
        k = k[1:] + k[:1]
    return k


def b_find(i):
    s = 0
    for d in range(3):
        s += bisect.bisect_left(_sorted, (i * 31 + d * 977) % 100003)
    return s


def c_get(i):
    s = 0
    for d in range(5):
        s += _table[b"k%05d" % ((i + d) % 4000)]
    return s


def d_pack(i):
    return b"".join([struct.pack("<IHB", i & 0xFFFFFF, d, 3) for d in range(7)])


def e_unpack(b):
    s = 0
    for p in range(0, len(b) - 6, 6):
        x, y, _ = struct.unpack_from("<IHB", b, p)
        s += x + y
    return s


def f_ring(i):
    for d in range(14):
        _ring[(i + d) & 63] = i + d
    return _ring[i & 63]


def g_split(i):
    t = f"a={i};b={i + 1};c={i + 2}"
    out = {}
    for p in t.split(";"):
        k, v = p.split("=")
        out[k] = int(v)
    return out


def h_sum(x):
    s = 0
    for d in range(22):
        s = (s * 33 + x + d) & 0xFFFF
    return s


def i_hash(b):
    s = 0
    for d in range(2):
        s ^= hashlib.md5(b + b"%d" % d).digest()[0]
    return s


def j_crc(b):
    s = 0
    for _ in range(10):
        s = zlib.crc32(b, s)
    return s


def k_hex(b):
    s = b""
    for d in range(5):
        s = binascii.hexlify(b[:16] + bytes([d]))
    return s


def l_join(i):
    return b":".join([_words[(i + d) & 7] for d in range(14)])


def m_tags(i):
    return tuple(sorted({(i * d) % 13 for d in range(7)}))


def n_minmax(i):
    v = [(i * d + 17) % 101 for d in range(8)]
    return min(v), max(v)


def o_upper(b):
    s = b
    for _ in range(8):
        s = s.upper().lower()
    return s


def p_rev(i):
    v = list(range(i & 15, (i & 15) + 20))
    v.reverse()
    v.append(i)
    return v[::2][:5] + v[1::3]


def q_fmt(i):
    return f"{i:08d}/{i % 9999:04d}/{i & 255:02x}" + f"{i * 3:>10}" + f"{i / 7:.3f}"


def r_cmp(i):
    s = 0
    for d in range(13):
        if (i ^ d) & 4 and d % 3:
            s += d
        else:
            s -= 1
    return s


def s_clip(i):
    return [x if x < 9 else 9 for x in (i & 3, i & 7, i & 15, i & 31, i & 63, 1, 2, 3, 4)]


def t_count(b):
    s = 0
    for w in _words:
        s += b.count(w)
    return s


def _front(i, k):
    n = b_find(i) + c_get(i) + i_hash(k)
    b = d_pack(i)
    return n + e_unpack(b) + j_crc(b), b


def _middle(i, b):
    n = f_ring(i) + len(g_split(i)) + h_sum(i) + len(m_tags(i)) + n_minmax(i)[0]
    return n + len(o_upper(k_hex(b)))


def _back(i):
    n = len(p_rev(i)) + len(q_fmt(i)) + r_cmp(i) + len(s_clip(i))
    return n + t_count(l_join(i))


def work(i):
    n, b = _front(i, a_key(i))
    return n + _middle(i, b) + _back(i)
