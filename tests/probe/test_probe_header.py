"""The C++ header: macros, builds, names, threads, several shared objects; and the histogram's buckets."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_memory import CPP_PRELUDE, ROOT, Program, build, cpp

from storeprof.session.pretty_names import plain_name

ENGINE = """
#include <string>
#include <vector>
#include <thread>
namespace kv {
template <typename T> struct Store {
  std::vector<int>* insert(const T&, int (*)(char)) const { PROFILE_FUNCTION(); return nullptr; }
  explicit Store() { PROFILE_FUNCTION(); }
  operator bool() const { PROFILE_FUNCTION(); return true; }
  bool operator<(int) const { PROFILE_FUNCTION(); return true; }
  bool operator()(int) { PROFILE_FUNCTION(); return true; }
};
}
namespace { unsigned int hidden(int) { PROFILE_FUNCTION(); return 1; } }
"""


def test_functions_have_readable_names(tmp_path) -> None:
    """PROFILE_FUNCTION writes file, line and a name that reads as the function's without type and arguments."""
    source = (
        ENGINE
        + """int main() {
  kv::Store<std::string> s; s.insert("", nullptr); (void)static_cast<bool>(s); (void)(s < 1); s(1); hidden(1);
  hold();
}"""
    )
    with cpp(tmp_path, source) as program:
        names = program.memory().names.values()
    store = "kv::Store<T>::"
    members = ["Store", "insert", "operator bool", "operator<", "operator()"]
    assert {plain_name(name) for name, _, _ in names} == {store + m for m in members} | {"{anonymous}::hidden"}
    assert all(file == str(tmp_path / "program.cpp") and line > 0 for _, file, line in names)


MACROS = """
static void inner() {
  PROFILE_FUNCTION(); PROFILE_SCOPE("x"); PROFILE_SCOPE("y");
  PROFILE_MEMORY_ALLOC("T", 64); PROFILE_MEMORY_DEALLOC("T", 24);
}
int main() {
  { PROFILE_SCOPE("branch"); }
  { PROFILE_OPERATION("op"); inner(); inner(); }
  hold();
}
"""


@pytest.mark.parametrize(
    "flags", [(), ("-fno-exceptions", "-fno-rtti"), ("-O2", "-fvisibility=hidden"), ("-O0", "-std=c++20")]
)
def test_macros_nest_in_their_order_under_all_builds(tmp_path, flags) -> None:
    """Several macros in one scope, even on one line, nest in their order, whatever the compiler's flags."""
    with cpp(tmp_path, MACROS, *flags) as program:
        memory = program.memory()
    assert memory.counts() == {
        ("branch",): 1,
        ("op",): 1,
        ("op", "void inner()"): 2,
        ("op", "void inner()", "x"): 2,
        ("op", "void inner()", "x", "y"): 2,
    }
    tag = memory.blocks[0].tags["T"]
    assert (tag.allocations, tag.allocated, tag.frees, tag.freed, tag.peak) == (2, 128, 2, 48, 104)


def test_compiled_out_the_program_is_the_same_as_without(tmp_path) -> None:
    """Without the switch the macros leave no instruction and no symbol."""
    plain = MACROS
    for macro in (
        "PROFILE_FUNCTION()",
        'PROFILE_SCOPE("x")',
        'PROFILE_SCOPE("y")',
        'PROFILE_OPERATION("op")',
    ):
        plain = plain.replace(macro, "static_cast<void>(0)")
    for memory in ('PROFILE_MEMORY_ALLOC("T", 64)', 'PROFILE_MEMORY_DEALLOC("T", 24)'):
        plain = plain.replace(memory, "")
    plain = plain.replace('PROFILE_SCOPE("branch")', "static_cast<void>(0)")
    assert "PROFILE" not in plain
    seen = []
    for name, source in (("with", MACROS), ("without", plain)):
        folder = tmp_path / name
        folder.mkdir()
        program = build(folder, source, "-g0", enable=False)
        disassembly = subprocess.run(["objdump", "-d", program.name], cwd=folder, check=True, stdout=subprocess.PIPE)
        seen.append(disassembly.stdout)
        symbols = subprocess.run(["nm", "-C", str(program)], check=True, text=True, stdout=subprocess.PIPE).stdout
        assert "storeprof" not in symbols
    assert seen[0] == seen[1]


def test_translation_units_and_libraries_share_one_recorder(tmp_path) -> None:
    """Two translation units, and a library that is loaded late, write into one memory and one tree."""
    for name in ("unit", "late"):
        body = f'{{ PROFILE_SCOPE("{name}"); }}'
        (tmp_path / f"{name}.cpp").write_text(f'{CPP_PRELUDE}extern "C" void {name}() {body}\n')
    command = [
        "g++",
        "-std=c++17",
        "-O2",
        "-DSTOREPROF_ENABLE",
        f"-I{ROOT / 'include'}",
        "-fvisibility=hidden",
    ]
    library = tmp_path / "late.so"
    late = (tmp_path / "late.cpp").read_text().replace("void late", '__attribute__((visibility("default"))) void late')
    (tmp_path / "late.cpp").write_text(late)
    subprocess.run([*command, "-shared", "-fPIC", str(tmp_path / "late.cpp"), "-o", str(library)], check=True)
    source = f"""
#include <dlfcn.h>
extern "C" void unit();
int main() {{
  PROFILE_SCOPE("main");
  unit();
  void* library = dlopen("{library}", RTLD_NOW | RTLD_LOCAL);
  if (!library) return 1;
  reinterpret_cast<void (*)()>(dlsym(library, "late"))();
  hold();
}}
"""
    with cpp(tmp_path, source, str(tmp_path / "unit.cpp"), "-rdynamic") as program:
        assert program.memory().counts() == {("main",): 0, ("main", "unit"): 1, ("main", "late"): 1}


THREADS = """
#include <thread>
#include <vector>
static void work(int depth) { PROFILE_FUNCTION(); if (depth) work(depth - 1); PROFILE_MEMORY_ALLOC("T", 8); }
int main() {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([] { for (int n = 0; n < 500; ++n) { PROFILE_OPERATION("op"); work(3); } });
    for (std::thread& t : threads) t.join();
  }
  hold();
}
"""


@pytest.mark.parametrize("flags", [("-O2",), ("-fsanitize=thread",), ("-fsanitize=address,undefined",)])
def test_threads_count_exactly_and_without_races(tmp_path, flags) -> None:
    """Threads that come and go lose no count, and the sanitizers for threads and memory find nothing."""
    with cpp(tmp_path, THREADS, *flags, TSAN_OPTIONS="halt_on_error=1") as program:
        memory = program.memory()
        assert memory.counts() == {("op",): 40_000, ("op", "void work(int)"): 160_000}
        assert sum(block.tags["T"].allocated for block in memory.blocks) == 8 * 160_000
        assert len(memory.blocks) <= 4
        assert program.process.stdin
        program.process.communicate("\n", timeout=60)
        assert program.process.returncode == 0


def test_exceptions_close_their_scopes_and_errno_survives(tmp_path) -> None:
    """A scope left by an exception is counted, and no probe changes errno, even where its own calls fail."""
    source = """
static void fails(int depth) {
  PROFILE_SCOPE("fails");
  if (depth == 0) throw 5;
  PROFILE_SCOPE("deep");
  fails(depth - 1);
}
int main() {
  try { fails(10); } catch (int) {}
  hold();
  close(storeprof::registry.fd);  // growing the memory fails from here on
  errno = 77;
  try { fails(300); } catch (int) {}
  std::printf("%d\\n", errno);
  hold();
}
"""
    with cpp(tmp_path, source) as program:
        counts = program.memory().counts()
        program.go_on()
        assert program.said == ["77"]
    assert len(counts) == 21 and set(counts.values()) == {1}


@pytest.fixture(scope="module")
def bucket_program(tmp_path_factory):
    """Asks the header for the bucket of each number it reads."""
    source = """
#include <cinttypes>
int main() {
  std::puts("held");
  uint64_t v;
  while (std::fflush(stdout), std::scanf("%" SCNu64, &v) == 1) std::printf("%u\\n", storeprof::bucket_of(v));
}
"""
    folder: Path = tmp_path_factory.mktemp("buckets")
    with Program([str(build(folder, source))]) as program:
        yield program


def bucket(value: int) -> int:
    """The page's formula, in Python's unbounded integers."""
    if value < 16:
        return value
    m = value.bit_length() - 1
    return min((m - 3) * 16 + ((value >> (m - 4)) & 15), 719)


def lower_edge(b: int) -> int:
    """The smallest value of a bucket."""
    return b if b < 16 else (16 + b % 16) << (b // 16 - 1)


@given(
    st.integers(0, 2**64 - 1)
    | st.integers(0, 719).map(lower_edge)
    | st.integers(1, 719).map(lambda b: lower_edge(b) - 1)
)
def test_buckets_are_those_of_the_page(bucket_program, value) -> None:
    """The header's bucket is the page's, holds the value between its edges, and is 6.25 % wide at most."""
    bucket_program.process.stdin.write(f"{value}\n")
    bucket_program.process.stdin.flush()
    found = int(bucket_program.process.stdout.readline())
    assert found == bucket(value)
    low, high = lower_edge(found), lower_edge(found + 1)
    assert low <= value and (value < high or found == 719)
    assert high - low <= max(1, low * 0.0625)
