"""Threads that are blocked, each in a way of its own, until standard input ends; names are those of the functions."""

import os
import sys
import threading
import time

lock = threading.Lock()
lock.acquire()
pipe_read, pipe_write = os.pipe()


def waits_for_lock():
    with lock:
        pass


def reads_pipe():
    os.read(pipe_read, 1)


def sleeps():
    time.sleep(60)


def outer(function):
    function()


for blocked in (waits_for_lock, reads_pipe, sleeps):
    threading.Thread(target=outer, args=(blocked,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
