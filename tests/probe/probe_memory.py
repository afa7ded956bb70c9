"""A small reference reader of docs/formats/shared-memory.md, and the programs it reads from."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALIBRATION = "storeprof: what a probe costs"  # a name that calibration leaves
PRELUDE = """
import os, sys, threading
from storeprof.probe import *
from storeprof.probe import _recorder
def hold():
    print("held", flush=True)
    sys.stdin.readline()
"""


@dataclass(frozen=True)
class Node:
    """One node of the calling context tree."""

    path: tuple[str, ...]
    flags: int
    count: int
    total: int
    own: int
    least: int
    most: int
    sum_squares: float
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """One ring entry."""

    op_seq: int
    path: tuple[str, ...]
    start: int
    duration: int


@dataclass(frozen=True)
class Tag:
    """One memory-tag record."""

    allocations: int
    allocated: int
    frees: int
    freed: int
    peak: int


@dataclass(frozen=True)
class Block:
    """One thread block."""

    tid: int
    generation: int
    position: tuple[tuple[str, ...], int]
    ops_finished: int
    ring: list[Operation]
    nodes: dict[tuple[str, ...], Node]
    tags: dict[str, Tag]
    tags_here: dict[tuple[str, ...], Tag]  # by the scope it was counted in, and its name


@dataclass(frozen=True)
class Memory:
    """Everything in one shared memory."""

    header: dict[str, int]
    uuid: bytes
    names: dict[int, tuple[str, str, int]]
    blocks: list[Block]

    def counts(self) -> dict[tuple[str, ...], int]:
        """Finished calls by path, over all threads."""
        found: dict[tuple[str, ...], int] = {}
        for block in self.blocks:
            for path, node in block.nodes.items():
                found[path] = found.get(path, 0) + node.count
        return found


HEADER = struct.Struct("<8sII16sIIQQQQIIQQQQQ")
FIELDS = (
    *("magic", "version", "header_bytes", "uuid", "pid", "clock", "unused", "gate_address", "used_bytes"),
    *("reserve_bytes", "first_thread", "first_name", "dropped_scopes", "anchor_ticks", "anchor_monotonic_ns"),
    *("anchor_realtime_ns", "floor_ticks_x1000"),
)


class Reader:
    """Reads a copy of the shared memory, record by record, in the page's own words."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        values = dict(zip(FIELDS, HEADER.unpack_from(data), strict=True))
        assert values.pop("magic") == b"STORPRF\0"
        self.uuid = values.pop("uuid")
        self.header: dict[str, int] = values
        self.names: dict[int, tuple[str, str, int]] = {}
        self.paths: dict[int, tuple[str, ...]] = {0: ()}

    def linked(self, line: int, offset: int = 0):
        """Byte offsets of the records that hang together from `line`, by the `next` at `offset` of each."""
        while line:
            yield line * 64
            (line,) = struct.unpack_from("<I", self.data, line * 64 + offset)

    def read(self) -> Memory:
        """All of it."""
        for at in self.linked(self.header["first_name"]):
            _, number, name, file, line = struct.unpack_from("<IIHHI", self.data, at)
            text = self.data[at + 16 : at + 16 + name + file]
            self.names[number] = (text[:name].decode(), text[name:].decode(), line)
        blocks = [self.block(at) for at in self.linked(self.header["first_thread"])]
        return Memory(self.header, self.uuid, self.names, blocks)

    def path(self, line: int) -> tuple[str, ...]:
        """The names from the outermost scope to the node at `line`."""
        if line not in self.paths:
            parent, name = struct.unpack_from("<II", self.data, line * 64)
            text, file, _ = self.names[name]
            stay = file.removeprefix("storeprof:") if file in ("storeprof:held", "storeprof:waited") else ""
            self.paths[line] = (*self.path(parent), f"{text} {stay}" if stay else text)
        return self.paths[line]

    def block(self, at: int) -> Block:
        """One thread block with its tree, ring and tags."""
        tid, generation = struct.unpack_from("<I8xI", self.data, at + 4)
        position, finished, first_node, first_tag, _, last_timed = struct.unpack_from("<QQIIQQ", self.data, at + 24)
        first = max(0, finished - 1024)
        ring = [struct.unpack_from("<IIQQ", self.data, at + 128 + i % 1024 * 24) for i in range(first, finished)]
        nodes = [self.node(node, last_timed) for node in self.linked(first_node, 8)]
        return Block(
            tid,
            generation,
            (self.path(position >> 32), position & 0xFFFFFFFF),
            finished,
            [Operation(seq, self.path(line), start, ticks) for seq, line, start, ticks in ring],
            {node.path: node for node in nodes},
            *self.tags(first_tag),
        )

    def node(self, at: int, last_timed: int) -> Node:
        """One node; its histogram with the call that isn't in it yet."""
        flags, *rest = struct.unpack_from("<IQQQQQd", self.data, at + 12)
        histogram = list(struct.unpack_from("<720I", self.data, at + 64))
        if last_timed >> 32 == at // 64:
            histogram[last_timed & 0xFFFFFFFF] += 1
        return Node(self.path(at // 64), flags, *rest, tuple(histogram))

    def tags(self, first: int) -> tuple[dict[str, Tag], dict[tuple[str, ...], Tag]]:
        """Memory tags of a block as a whole, and by scope."""
        whole, here = {}, {}
        for at in self.linked(first):
            _, name, *rest, node = struct.unpack_from("<IIQQQQqI", self.data, at)
            text = self.names[name][0]
            if node == 0:
                whole[text] = Tag(*rest)
            else:
                here[(*(self.path(node) if node > 1 else ()), text)] = Tag(*rest)
        return whole, here


def read_descriptor(fd: int) -> Memory:
    """What lies in the shared memory behind a descriptor."""
    return Reader(os.pread(fd, os.fstat(fd).st_size, 0)).read()


def open_memory(pid: int) -> int:
    """A descriptor of the process's shared memory, found as the page says; the only one there is."""
    folder = Path(f"/proc/{pid}/fd")
    found = [p for p in folder.iterdir() if str(p.readlink()).startswith("/memfd:storeprof-probe")]
    assert len(found) == 1, found
    return os.open(found[0], os.O_RDONLY)


class Program:
    """A program that runs up to `hold()`, where it waits to be read; ends with the `with` block."""

    def __init__(self, command: list[str], **environment: str) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STOREPROF")}
        clean["PYTHONPATH"] = str(ROOT / "src")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean | environment
        )
        self.said: list[str] = []

    def __enter__(self) -> Program:
        try:
            self.wait_for_hold()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_for_hold(self) -> None:
        """Reads what the program says until it is held."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line == "held\n":
                return
            self.said.append(line.rstrip("\n"))
        raise AssertionError(f"ended with status {self.process.wait()} before it was held: {self.said}")

    def go_on(self) -> None:
        """Lets the program run to its next hold."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.wait_for_hold()

    def memory(self) -> Memory:
        """What the program has written so far."""
        fd = open_memory(self.process.pid)
        try:
            return read_descriptor(fd)
        finally:
            os.close(fd)

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def python(code: str, **environment: str) -> Program:
    """A Python program that is recorded from its start, with the probe's names imported; held at its end."""
    settings = {"STOREPROF_RECORD": "1"} | environment
    return Program([sys.executable, "-c", f"{PRELUDE}\n{code}\nhold()\n"], **settings)


CPP_PRELUDE = """
#include <storeprof/profile.hpp>
#include <cstdio>
[[maybe_unused]] static void hold() { std::puts("held"); std::fflush(stdout); std::getchar(); }
"""


def build(folder: Path, source: str, *flags: str, enable: bool = True, compiler: str = "g++") -> Path:
    """Compiles a C++ program (warnings are errors) and returns its path."""
    path = folder / "program.cpp"
    path.write_text(CPP_PRELUDE + source)
    program = folder / "program"
    switch = ["-DSTOREPROF_ENABLE"] if enable else []
    warnings = ["-Wall", "-Wextra", "-Wshadow", "-Wpedantic", "-Werror"]
    command = [compiler, "-std=c++17", "-O1", "-g", *warnings, *switch, f"-I{ROOT / 'include'}", "-pthread"]
    subprocess.run([*command, str(path), *flags, "-o", str(program)], check=True)
    return program


def cpp(folder: Path, source: str, *flags: str, **environment: str) -> Program:
    """A C++ program with the header and hold(), recorded from its start."""
    return Program([str(build(folder, source, *flags))], **({"STOREPROF_RECORD": "1"} | environment))
