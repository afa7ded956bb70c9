"""Fork, and dying: a child never writes into its parent's memory, and a kill loses nothing."""

import os
import signal

from probe_memory import CALIBRATION, cpp, open_memory, python, read_descriptor


def test_a_child_has_a_recorder_of_its_own() -> None:
    """After fork the child counts in its own memory, with its own uuid; the parent's stays untouched."""
    code = """
@profile_function("f")
def f(): pass
tag = lambda n: profile_memory_alloc("T", n)
f(); tag(1)
with profile_scope("open"):
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        for _ in range(7): f()
        tag(2)
        with profile_operation("new"): f()
if child == 0:
    f()
    os.write(into, b"x")
    while True: signal.pause()
os.read(out, 1)
print(child, flush=True)
"""
    with python("import signal\n" + code) as program:
        child = int(program.said[0])
        fd = open_memory(child)
        try:
            own, parents = read_descriptor(fd), program.memory()
        finally:
            os.close(fd)
            os.kill(child, signal.SIGKILL)
    assert parents.counts() == {("f",): 1, ("open",): 1}
    assert parents.blocks[0].tags["T"].allocated == 1
    assert own.counts() == {("f",): 8, ("new",): 1, ("new", "f"): 1}
    assert own.blocks[0].tags["T"].allocated == 2
    assert own.blocks[0].position == ((), 0)
    assert own.uuid != parents.uuid and own.header["pid"] == child
    assert own.names == parents.names | {k: v for k, v in own.names.items() if v[0] == "new"}


def test_names_reach_a_childs_child() -> None:
    """Every generation has all names with the same numbers, whoever gave them, and goes on counting."""
    code = """
out, into = os.pipe()
def run(depth):
    with profile_scope(f"level {depth}"), profile_scope("every"): pass
    if depth < 3 and os.fork() == 0: run(depth + 1)
    if depth == 2: os._exit(0)
    if depth == 3:
        os.write(into, b"%d" % os.getpid())
        while True: signal.pause()
run(1)
last = int(os.read(out, 20))
print(last, flush=True)
"""
    with python("import signal\n" + code) as program:
        last = int(program.said[0])
        fd = open_memory(last)
        try:
            own = read_descriptor(fd)
        finally:
            os.close(fd)
            os.kill(last, signal.SIGKILL)
    names = [own.names[n][0] for n in sorted(own.names) if own.names[n][0] != CALIBRATION]
    assert names == ["level 1", "every", "level 2", "level 3"]
    assert own.counts() == {("level 3",): 1, ("level 3", "every"): 1}


def test_a_child_keeps_the_gate_as_it_was() -> None:
    """A program that nobody records has children that nobody records, and each can be switched on."""
    code = """
child = os.fork()
if child == 0:
    before = _recorder.gate()
    _recorder.gate(True)
    with profile_scope("x"): pass
    os._exit(10 + before if _recorder.memory_fd() >= 0 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), _recorder.gate())
"""
    with python(code, STOREPROF_RECORD="0") as program:
        assert program.said == ["10 False"]


def test_a_child_of_a_bare_clone_writes_nothing(tmp_path) -> None:
    """Where no fork handler ran, the wiped page alone keeps the child out of the parent's counters."""
    source = """
#include <sys/wait.h>
#include <sys/syscall.h>
#include <csignal>
static void work() { PROFILE_SCOPE("work"); }
static long child_of_clone() {
  PROFILE_SCOPE("open");
  const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) for (int i = 0; i < 5; ++i) work();
  return pid;
}
int main() {
  const long pid = child_of_clone();
  if (pid == 0) { work(); _exit(0); }
  int status = 0;
  waitpid(static_cast<pid_t>(pid), &status, 0);
  std::printf("%d\\n", status);
  hold();
}
"""
    with cpp(tmp_path, source) as program:
        assert program.said == ["0"]
        assert program.memory().counts() == {("open",): 1}


def test_threads_that_were_running_at_the_fork_do_not_disturb_the_child() -> None:
    """The child begins with no thread blocks, however many threads the parent had inside scopes."""
    code = """
import warnings
warnings.simplefilter("ignore")
stop = threading.Event()
@profile_function("busy")
def busy(): pass
def run():
    with profile_scope("thread"):
        while not stop.is_set(): busy()
threads = [threading.Thread(target=run) for _ in range(3)]
for t in threads: t.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        with profile_scope("child"): busy()
        os._exit(0)
    print(os.waitpid(child, 0)[1])
stop.set()
for t in threads: t.join()
"""
    with python(code) as program:
        assert program.said == ["0"] * 10
        assert program.memory().counts()[("thread",)] == 3


def test_kill_leaves_the_memory_readable_through_a_kept_descriptor() -> None:
    """A program that dies by SIGKILL loses nothing that was written before."""
    with python("for _ in range(1000):\n    with profile_scope('x'): pass") as program:
        fd = open_memory(program.process.pid)
        program.process.kill()
        program.process.wait()
        try:
            assert read_descriptor(fd).counts() == {("x",): 1000}
        finally:
            os.close(fd)


def test_closing_the_descriptor_never_grows_a_file_of_the_program(tmp_path) -> None:
    """When the program closed our descriptor and got its number for a file, the file stays as it is."""
    code = f"""
fd = _recorder.memory_fd()
keep = os.dup(fd)
os.close(fd)
mine = os.open({str(tmp_path / "mine")!r}, os.O_RDWR | os.O_CREAT)
assert mine == fd
for i in range(200):
    with profile_scope(f"s{{i}}"): pass
if os.fork() == 0: os._exit(0)
print(os.fstat(mine).st_size, os.fstat(keep).st_size)
os.wait()
os.fstat(mine)
os.close(mine); os.dup2(keep, fd); os.close(keep)
"""
    with python(code) as program:
        assert program.said == ["0 262144"]
        memory = program.memory()
    assert memory.header["dropped_scopes"] > 0
    assert 0 < sum(memory.counts().values()) < 200
