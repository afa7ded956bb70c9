"""Runs a command under a seccomp filter: forbid.py NUMBER[,NUMBER...] COMMAND... (those system calls answer EPERM)."""

import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, EPERM = 0x7FFF0000, 0x00050001

numbers = [int(number) for number in sys.argv[1].split(",")]
program = struct.pack("<HBBI", LOAD_NUMBER, 0, 0, 0)
for at, number in enumerate(numbers):
    program += struct.pack("<HBBI", JUMP_IF_EQUAL, len(numbers) - at, 0, number)
program += struct.pack("<HBBI", RETURN, 0, 0, ALLOW) + struct.pack("<HBBI", RETURN, 0, 0, EPERM)


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
filter_ = Filter(len(numbers) + 3, program)
assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0) == 0, ctypes.get_errno()
os.execvp(sys.argv[2], sys.argv[2:])
