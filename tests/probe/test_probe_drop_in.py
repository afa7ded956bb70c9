"""The header as a drop-in: both compilers, sanitizers with 16 threads, CMake, extension modules, locks."""

import subprocess
import sys
import sysconfig

import pytest
from probe_memory import ROOT, Program, build, python

COMPILERS = ("g++", "clang++")
EVERYTHING = """
#include <sys/wait.h>
#include <thread>
#include <vector>
static storeprof::mutex memtable("memtable");
struct Engine { PROFILE_LOCKABLE(std::recursive_mutex, guard); long done = 0; };
static Engine engine;
template <typename T> static T twice(T value) { PROFILE_FUNCTION(); return value * 2; }
namespace { struct Early { Early() { PROFILE_SCOPE("static initializer"); } } early; }
struct AtThreadEnd { ~AtThreadEnd() { PROFILE_SCOPE("thread exit"); } };
static void operation(int n) {
  PROFILE_OPERATION("op"); PROFILE_SCOPE("in"); PROFILE_TIMING("old");
  PROFILE_MEMORY_ALLOC("T", 8);
  (void)twice(n); (void)twice(1.5);
  const std::lock_guard<storeprof::mutex> one(memtable);
  const std::lock_guard<decltype(engine.guard)> two(engine.guard), again(engine.guard);
  ++engine.done;
}
int main() {
  storeprof::store(storeprof::registry.gate[2], 10000u);  // a budget of 1 %: slices, and operations that are skipped
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([] {
      static thread_local AtThreadEnd end;
      (void)&end;
      for (int n = 0; n < 2000; ++n) operation(1);
    });
  for (std::thread& t : threads) t.join();
  const pid_t child = fork();
  if (child == 0) { operation(1); _exit(0); }
  waitpid(child, nullptr, 0);
  hold();
}
"""
OPERATIONS = 16 * 2000


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    "flags",
    [("-O2",), ("-O2", "-fno-exceptions", "-fno-rtti"), ("-fsanitize=thread",), ("-fsanitize=address,undefined",)],
    ids=("plain", "no-exceptions", "thread", "address-undefined"),
)
def test_sixteen_threads_count_exactly_under_both_compilers(tmp_path, compiler, flags) -> None:
    """With a budget, locks, templates, static initializers, thread exits and fork; the sanitizers find nothing."""
    program = build(tmp_path, EVERYTHING, *flags, compiler=compiler)
    settings = {"STOREPROF_RECORD": "1", "TSAN_OPTIONS": "halt_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1"}
    with Program([str(program)], **settings) as running:
        counts = {path[-1]: count for path, count in running.memory().counts().items() if "twice" not in path[-1]}
        waited = counts.pop("memtable waited", 0)
        twice = sum(count for path, count in running.memory().counts().items() if "twice" in path[-1])
        names = set(running.memory().names.values())
        assert running.process.stdin
        running.process.communicate("\n", timeout=60)
        assert running.process.returncode == 0
    stays = {"memtable held": OPERATIONS, "guard held": OPERATIONS}
    once = {"thread exit": 16, "static initializer": 1}
    assert counts == {"op": OPERATIONS, "in": OPERATIONS, "old": OPERATIONS, **stays, **once}
    assert waited <= OPERATIONS
    assert twice == 2 * OPERATIONS
    assert {name for name, file, _ in names if file.startswith("storeprof:lock@")} == {"memtable", "guard"}


def test_with_a_budget_only_some_are_timed_and_slices_are_written(tmp_path) -> None:
    """Counts are of all calls, histograms of the timed ones: whole operations, with every scope inside them."""
    source = """
static void operation() { PROFILE_OPERATION("op"); { PROFILE_SCOPE("a"); } { PROFILE_SCOPE("b"); } }
int main() {
  storeprof::store(storeprof::registry.gate[2], 400000u);
  for (int i = 0; i < 400000; ++i) operation();
  std::printf("%d\\n", static_cast<int>(storeprof::current->block->slices));
  hold();
}
"""
    with Program([str(build(tmp_path, source, "-O2"))], STOREPROF_RECORD="1") as program:
        (block,) = program.memory().blocks
        assert int(program.said[0]) > 3
    timed = {path[-1]: sum(node.histogram) for path, node in block.nodes.items()}
    assert {node.count for node in block.nodes.values()} == {400_000}
    assert timed["op"] == timed["a"] == timed["b"]
    assert 0 < timed["op"] < 400_000 and block.ops_finished == timed["op"]


CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(engine CXX)
find_package(storeprof 0.1 REQUIRED)
add_executable(on main.cpp)
target_link_libraries(on PRIVATE storeprof::storeprof)
add_executable(off main.cpp)
target_link_libraries(off PRIVATE storeprof::headers)
"""
MAIN = """
#include <storeprof/profile.hpp>
#include <cstdio>
int main() {
  PROFILE_FUNCTION(); PROFILE_TIMING("old"); PROFILE_LOCKABLE(std::mutex, guard);
  const std::lock_guard<std::mutex> hold(guard);
#if defined(STOREPROF_COMPILED_IN)
  std::puts("on");
#else
  std::puts("off");
#endif
}
"""


def test_cmake_finds_the_package_by_its_folder(tmp_path) -> None:
    """`storeprof config --cmake-dir` is all that find_package needs; a target with probes, and one without."""
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    (tmp_path / "main.cpp").write_text(MAIN)
    command = [sys.executable, "-m", "storeprof", "config"]
    folder = subprocess.run([*command, "--cmake-dir"], check=True, capture_output=True, text=True).stdout.strip()
    configure = ["cmake", f"-Dstoreprof_DIR={folder}", "-S", str(tmp_path), "-B", str(tmp_path / "build")]
    subprocess.run(configure, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", str(tmp_path / "build")], check=True, capture_output=True)
    for name in ("on", "off"):
        said = subprocess.run([str(tmp_path / "build" / name)], check=True, capture_output=True, text=True).stdout
        assert said == f"{name}\n"
    includes = subprocess.run([*command, "--includes"], check=True, capture_output=True, text=True).stdout.split()
    old = [
        "g++",
        "-std=c++17",
        "-DENABLE_PROFILING",
        *includes,
        str(tmp_path / "main.cpp"),
        "-o",
        str(tmp_path / "old"),
    ]
    subprocess.run([*old, "-pthread"], check=True)
    assert subprocess.run([str(tmp_path / "old")], check=True, capture_output=True, text=True).stdout == "on\n"


EXTENSION = """
#include <Python.h>
#include <storeprof/profile.hpp>
static PyObject* compact(PyObject*, PyObject* callback) {
  PROFILE_SCOPE("native compact");
  return PyObject_CallNoArgs(callback);
}
static PyMethodDef functions[] = {{"compact", compact, METH_O, nullptr}, {}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "engine_native", nullptr, -1, functions, {}, {}, {}, {}};
PyMODINIT_FUNC PyInit_engine_native() { return PyModule_Create(&definition); }
"""


def test_an_extension_module_counts_in_the_tree_of_python(tmp_path) -> None:
    """A scope in an extension lies below the Python function that called it, and Python's callback below that."""
    (tmp_path / "engine_native.cpp").write_text(EXTENSION)
    target = tmp_path / f"engine_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    flags = ["-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-DSTOREPROF_ENABLE"]
    folders = [f"-I{ROOT / 'include'}", f"-I{sysconfig.get_paths()['include']}"]
    subprocess.run(["g++", *flags, *folders, str(tmp_path / "engine_native.cpp"), "-o", str(target)], check=True)
    code = f"""
sys.path.insert(0, {str(tmp_path)!r})
import engine_native
@profile_function("callback")
def callback(): pass
@profile_function("outer")
def outer(): engine_native.compact(callback)
outer()
"""
    with python(code) as program:
        assert program.memory().counts() == {
            ("outer",): 1,
            ("outer", "native compact"): 1,
            ("outer", "native compact", "callback"): 1,
        }
