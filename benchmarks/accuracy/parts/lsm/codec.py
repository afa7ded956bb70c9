import struct
import zlib

ENTRY = struct.Struct(">IBH")
HEAD = struct.Struct(">II")
BLOCK = 4096


def pack_entry(sequence, kind, key, value):
    return ENTRY.pack(sequence & 0xFFFFFFFF, kind, len(key)) + key + value


def key_of(entry):
    return entry[7 : 7 + ENTRY.unpack_from(entry)[2]]


def kind_and_value(entry):
    _, kind, length = ENTRY.unpack_from(entry)
    return kind, entry[7 + length :]


def seal(payload):
    return HEAD.pack(zlib.crc32(payload), len(payload)) + payload


def unseal(framed):
    payload = framed[HEAD.size :]
    if HEAD.unpack_from(framed)[0] != zlib.crc32(payload):
        raise ValueError("damaged block")
    return payload


def deflate(block):
    return zlib.compress(block, 1)


def inflate(block):
    return zlib.decompress(block)
