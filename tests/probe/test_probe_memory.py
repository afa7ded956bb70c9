"""The shared memory itself: header, names, memory tags, growth and its limits."""

import os
import time

import pytest
from probe_memory import CALIBRATION, cpp, python


def test_the_header_says_whose_memory_it_is() -> None:
    """Version, pid and the three clocks of the header are those of the program."""
    with python("print(1)") as program:
        after = time.monotonic_ns()
        header = program.memory().header
        assert header["pid"] == program.process.pid
    assert (header["version"], header["header_bytes"], header["reserve_bytes"]) == (3, 4096, 512 << 20)
    assert 0 < after - header["anchor_monotonic_ns"] < 60e9
    assert abs(time.time_ns() - header["anchor_realtime_ns"]) < 60e9
    assert header["clock"] in (1, 2) and header["anchor_ticks"] > 0


def test_names_carry_module_qualname_file_and_line(tmp_path) -> None:
    """A function is `module.qualname` with file and line, a script its stem; equal sites share one record."""
    script = tmp_path / "engine_main.py"
    body = "\nclass Store:\n    def put(self): pass\ndef free(): pass\n"
    body += "for _ in 1, 2: profile_function(Store.put)\n"
    script.write_text("from storeprof.probe import *" + body + "profile_operation(free)\nprofile_scope('zähler')\n")
    module = "import sys; sys.path.insert(0, {0!r}); import runpy; runpy.run_path({1!r}, run_name='__main__')"
    with python(module.format(str(tmp_path), str(script)) + "\nprofile_function(os.path.join)") as program:
        names = set(program.memory().names.values())
    assert names - {(CALIBRATION, "", 0)} == {
        ("engine_main.Store.put", str(script), 3),
        ("engine_main.free", str(script), 4),
        ("zähler", "", 0),
        ("posixpath.join", os.path.join.__code__.co_filename, os.path.join.__code__.co_firstlineno),
    }


def test_live_bytes_are_right_when_another_thread_frees() -> None:
    """Tags are counted per thread block; their sum is what is alive, and the peak is each block's own."""
    code = """
def run(f):
    t = threading.Thread(target=f); t.start(); t.join()
for n in 100, 50, 25: profile_memory_alloc("Block", n)
profile_memory_dealloc("Block", 25)
go, done = threading.Event(), threading.Event()
def other():
    profile_memory_dealloc("Block", 100)
    profile_memory_alloc("Index", 7)
    done.set(); go.wait()
threading.Thread(target=other, daemon=True).start(); done.wait()
"""
    with python(code) as program:
        tags = {block.tid == program.process.pid: block.tags for block in program.memory().blocks}
    own, other = tags[True]["Block"], tags[False]["Block"]
    assert (own.allocations, own.allocated, own.frees, own.freed, own.peak) == (3, 175, 1, 25, 175)
    assert (other.allocations, other.allocated, other.frees, other.freed, other.peak) == (0, 0, 1, 100, 0)
    assert own.allocated - own.freed + other.allocated - other.freed == 50
    assert tags[False]["Index"].peak == 7


def test_tags_are_counted_by_the_scope_they_stand_in(tmp_path) -> None:
    """The first calls exactly; of more a part that stands for all, whatever the program does in turn."""
    source = """
int main() {
  for (int i = 0; i < 64 * 4000; ++i) {
    { PROFILE_SCOPE("put"); PROFILE_MEMORY_ALLOC("Row", 10); if (i % 64 == 0) PROFILE_MEMORY_ALLOC("Index", 1); }
    if (i % 4 == 0) { PROFILE_SCOPE("compact"); PROFILE_MEMORY_ALLOC("Row", 10); }
    PROFILE_MEMORY_DEALLOC("Row", 10);
  }
  { PROFILE_SCOPE("put"); PROFILE_MEMORY_ALLOC("Rare", 7); }
  hold();
}
"""
    with cpp(tmp_path, source) as program:
        (block,) = program.memory().blocks
    calls = 64 * 4000
    row, here = block.tags["Row"], block.tags_here
    assert (row.allocations, row.allocated, row.frees) == (calls * 5 // 4, calls * 50 // 4, calls)
    assert block.tags["Index"].allocations == 4000
    assert here["put", "Row"].allocations == pytest.approx(calls, rel=0.05)
    assert here["compact", "Row"].allocations == pytest.approx(calls / 4, rel=0.05)
    assert here["Row",].frees == pytest.approx(calls, rel=0.05) and here["Row",].allocations == 0
    assert here["put", "Index"].allocations == pytest.approx(4000, rel=0.1)
    assert (here["put", "Rare"].allocations, here["put", "Rare"].allocated) == (1, 7)


def test_a_thousand_tags_are_told_apart() -> None:
    """Tags beyond those a thread finds at once are found all the same, each under its own name."""
    code = """
for _ in 1, 2:
    for i in range(1000): profile_memory_alloc(f"tag {i}", i)
"""
    with python(code) as program:
        (block,) = program.memory().blocks
    assert {name: (t.allocations, t.allocated) for name, t in block.tags.items()} == {
        f"tag {i}": (2, 2 * i) for i in range(1000)
    }


def test_more_busy_tags_than_slots_are_all_exact(tmp_path) -> None:
    """Of 300 tags with thousands of calls each some have no slot of their own; two sites of one name share one."""
    tags = "".join(f'PROFILE_MEMORY_ALLOC("tag {i}", {i}); ' for i in range(300))
    source = f'int main() {{ for (int i = 0; i < 3000; ++i) {{ {tags} PROFILE_MEMORY_ALLOC("tag 7", 7); }} hold(); }}'
    with cpp(tmp_path, source) as program:
        (block,) = program.memory().blocks
    calls = {f"tag {i}": 6000 if i == 7 else 3000 for i in range(300)}
    assert {name: tag.allocations for name, tag in block.tags.items()} == calls
    assert all(tag.allocated == calls[name] * int(name.split()[1]) for name, tag in block.tags.items())


def test_the_file_grows_before_it_is_used() -> None:
    """used_bytes never exceeds the file, which grows in chunks of 256 KiB."""
    code = """
for i in range(500):
    with profile_scope(f"s{i}"): pass
print(os.fstat(_recorder.memory_fd()).st_size)
"""
    with python(code) as program:
        memory = program.memory()
        size = int(program.said[0])
    assert len(memory.counts()) == 500 and memory.header["dropped_scopes"] == 0
    assert size % (256 << 10) == 0 and 0 <= size - memory.header["used_bytes"] < 256 << 10


def test_no_room_drops_scopes_and_harms_nothing() -> None:
    """Past RLIMIT_FSIZE, with the signal's deadly default, scopes are dropped; those with a node go on."""
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (300 << 10, resource.RLIM_INFINITY))
for i in range(200):
    with profile_scope(f"s{i}"): pass
for _ in range(10):
    with profile_scope("s0"):
        with profile_scope("no room"): pass
"""
    with python(code) as program:
        memory = program.memory()
    counts = memory.counts()
    assert counts[("s0",)] == 11 and ("s0", "no room") not in counts
    assert memory.header["dropped_scopes"] == 200 - len(counts) + 10


def test_a_limited_address_space_is_left_to_the_program() -> None:
    """Under RLIMIT_AS the recorder takes a sixteenth at most."""
    code = """
import subprocess, resource
limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
child = '''
import os
from storeprof.probe import _recorder
print(os.pread(_recorder.memory_fd(), 72, 0)[64:].hex())
'''
run = subprocess.run([sys.executable, "-c", child], preexec_fn=limit, capture_output=True, text=True)
print(run.stdout.strip())
"""
    with python(code) as program:
        assert int.from_bytes(bytes.fromhex(program.said[0]), "little") == 64 << 20


def test_without_descriptors_the_program_runs_on() -> None:
    """Where no shared memory can be made the probe stays off and every call works as before."""
    code = """
import subprocess, resource
child = '''
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from storeprof.probe import *
from storeprof.probe import _recorder
@profile_function
def f(): return 5
with profile_scope("x"): profile_memory_alloc("T", 1)
print(f(), _recorder.memory_fd(), _recorder.gate(True))
'''
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
"""
    with python(code) as program:
        assert program.said == ["5 -1 False"]
