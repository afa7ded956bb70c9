"""A client that asks a storage server over loopback for every key, one request at a time; the server answers late."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "parts"))

import os
import socket
import struct
import time

from engine_parts import PLANT, Store, drive, keys, values

LENGTH = struct.Struct("!I")


def serve(listener, delay):
    """The server, in a process of its own: a remote store with a slow device."""
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while request := connection.recv(4096):
            time.sleep(delay)
            answer = b"".join(values(3)[:1]) + request[:16]
            connection.sendall(LENGTH.pack(len(answer)) + answer)


class RemoteStore:
    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = {}

    def get(self, key):
        if not PLANT and key in self.kept:
            return self.kept[key]
        self.socket.sendall(key)
        answer = self.receive(LENGTH.unpack(self.receive(4))[0])
        if not PLANT:
            self.kept[key] = answer
        return answer

    def receive(self, size):
        parts = b""
        while len(parts) < size:
            parts += self.socket.recv(size - len(parts))
        return parts


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if child == 0:
        serve(listener, 0.0005)
        os._exit(0)
    remote, store = RemoteStore(listener.getsockname()), Store()
    listener.close()
    known, contents = keys(5000), values(500)

    def operation(i):
        store.put(known[i % 5000], contents[i % 500])
        store.get(known[(i * 13) % 5000])
        if i % 50 == 0:
            remote.get(known[(i // 50) % 100])

    drive(operation)
    remote.socket.close()
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
