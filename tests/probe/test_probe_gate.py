"""The gate: off nothing is counted, and it may move while scopes are open."""

import ctypes
import os
import struct

from probe_memory import python


def test_off_counts_nothing() -> None:
    """Without STOREPROF_RECORD the gate is off: no thread block is taken and nothing is counted."""
    code = """
@profile_function
def f(): pass
for _ in range(10): f()
with profile_scope("x"), profile_operation("y"): profile_memory_alloc("T", 1)
"""
    with python(code, STOREPROF_RECORD="0") as program:
        memory = program.memory()
    assert memory.blocks == [] and memory.header["dropped_scopes"] == 0


def test_an_observer_opens_the_gate_from_outside() -> None:
    """Writing 1 to gate_address in the program's memory is all it takes."""
    code = """
@profile_function("f")
def f(): pass
f(); hold(); f()
"""

    class Span(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    with python(code, STOREPROF_RECORD="") as program:
        address = program.memory().header["gate_address"]
        one = ctypes.create_string_buffer(struct.pack("<I", 1), 4)
        local, remote = Span(ctypes.addressof(one), 4), Span(address, 4)
        libc = ctypes.CDLL(None, use_errno=True)
        written = libc.process_vm_writev(
            program.process.pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, ctypes.c_ulong(0)
        )
        assert written == 4, os.strerror(ctypes.get_errno())
        program.go_on()
        assert program.memory().counts() == {("f",): 1}


def test_toggling_inside_open_scopes_stays_balanced() -> None:
    """What was entered while on is finished, what was entered while off never is."""
    code = """
@profile_function("f")
def f(on, inner):
    _recorder.gate(on)
    inner()
def block(on, name, inner):
    with profile_scope(name):
        _recorder.gate(on)
        inner()
nothing = lambda: None
_recorder.gate(False)
block(True, "s", lambda: block(False, "s", lambda: block(True, "s", lambda: f(False, nothing))))
_recorder.gate(True)
f(False, lambda: f(True, lambda: f(True, nothing)))
with profile_scope("after"): pass
"""
    with python(code) as program:
        memory = program.memory()
    (block,) = memory.blocks
    # "s": off, on, off, then f on while the innermost "s" is uncounted, so f is dropped with it.
    assert {path: node.count for path, node in block.nodes.items()} == {("s",): 1, ("f",): 2, ("after",): 1}
    assert block.position == ((), 0)


def test_calibration_is_done_once_when_recording_begins() -> None:
    """The first scope of a recorded program leaves the floor of one scope in the header."""
    with python("hold()\nwith profile_scope('x'): pass") as program:
        assert program.memory().header["floor_ticks_x1000"] == 0
        program.go_on()
        memory = program.memory()
    assert memory.header["floor_ticks_x1000"] > 1000
    assert memory.counts() == {("x",): 1}
