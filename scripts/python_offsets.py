"""Prints where a CPython keeps what the stack reader needs: the row of its version, from its own internal headers.

    python scripts/python_offsets.py [PYTHON]

Compiles a ten-line program against the headers of PYTHON (this one by default) and prints one JSON object: version, and
for each field of storeprof/observe/python_offsets.py a byte offset, or for 3.13 and later the 64-bit word of the
interpreter's own table (_Py_DebugOffsets) that holds it. Paste a new version's numbers there; tests compare them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """
#define Py_BUILD_CORE 1
#include <Python.h>
#include <stddef.h>
#include <stdio.h>
{includes}
#define AT(type, member) (long)offsetof(type, member)
#define WORD(member) (long)(offsetof(_Py_DebugOffsets, member) / 8)
int main(void) {{ long row[] = {{ {row} }};
  for (unsigned i = 0; i < sizeof row / sizeof *row; i++) printf("%ld ", row[i]);
  return 0; }}
"""
# In the order of FIELDS in storeprof/observe/python_offsets.py.
COMMON_THREAD = (
    "AT(PyThreadState, next), AT(PyThreadState, interp), AT(PyThreadState, cframe), 1, AT(_PyCFrame, current_frame),"
    "AT(PyThreadState, native_thread_id), AT(PyThreadState, datastack_chunk), AT(PyThreadState, datastack_top),"
    "AT(struct _gil_runtime_state, last_holder), AT(struct _gil_runtime_state, locked),"
    "sizeof(struct _gil_runtime_state)"
)
COMMON_CODE = (
    "AT(PyCodeObject, co_filename), AT(PyCodeObject, co_qualname), AT(PyCodeObject, co_linetable),"
    "AT(PyCodeObject, co_firstlineno), AT(PyCodeObject, co_code_adaptive), AT(PyCodeObject, _co_firsttraceable),"
    "AT(PyASCIIObject, state), AT(PyASCIIObject, length), sizeof(PyASCIIObject), sizeof(PyCompactUnicodeObject),"
    "AT(PyBytesObject, ob_sval)"
)
FRAME = "AT(_PyInterpreterFrame, previous), AT(_PyInterpreterFrame, owner), AT(_PyInterpreterFrame, localsplus),"
ROWS = {
    (3, 11): (
        ("interp", "runtime", "frame"),
        "AT(_PyRuntimeState, interpreters.head), AT(_PyRuntimeState, ceval.gil), 0,"
        "AT(PyInterpreterState, threads.head), AT(PyInterpreterState, gc.collecting), 0,"
        f"{COMMON_THREAD}, {FRAME} AT(_PyInterpreterFrame, f_code), AT(_PyInterpreterFrame, prev_instr),"
        f"AT(_PyInterpreterFrame, f_func), {COMMON_CODE}",
    ),
    (3, 12): (
        ("interp", "runtime", "frame"),
        "AT(_PyRuntimeState, interpreters.head), 0, AT(PyInterpreterState, ceval.gil),"
        "AT(PyInterpreterState, threads.head), AT(PyInterpreterState, gc.collecting), 0,"
        f"{COMMON_THREAD}, {FRAME} AT(_PyInterpreterFrame, f_code), AT(_PyInterpreterFrame, prev_instr),"
        f"AT(_PyInterpreterFrame, f_funcobj), {COMMON_CODE}",
    ),
    (3, 13): (
        ("interp", "runtime", "frame"),
        "WORD(runtime_state.interpreters_head), 0, WORD(interpreter_state.ceval_gil),"
        "WORD(interpreter_state.threads_head), WORD(interpreter_state.gc), WORD(gc.collecting),"
        "WORD(thread_state.next), WORD(thread_state.interp), WORD(thread_state.current_frame), 0, 0,"
        "WORD(thread_state.native_thread_id), WORD(thread_state.datastack_chunk), 0,"
        "WORD(interpreter_state.gil_runtime_state_holder), WORD(interpreter_state.gil_runtime_state_locked), 0,"
        "WORD(interpreter_frame.previous), WORD(interpreter_frame.owner), WORD(interpreter_frame.localsplus),"
        "WORD(interpreter_frame.executable), WORD(interpreter_frame.instr_ptr), 0,"
        "WORD(code_object.filename), WORD(code_object.qualname), WORD(code_object.linetable),"
        "WORD(code_object.firstlineno), WORD(code_object.co_code_adaptive), 0, WORD(unicode_object.state),"
        "WORD(unicode_object.length), WORD(unicode_object.asciiobject_size), 0, WORD(bytes_object.ob_sval)",
    ),
}


def headers(python: str) -> tuple[tuple[int, int], Path]:
    """Version of an interpreter, and the folder of its headers (which need not exist)."""
    code = "import sys, sysconfig; print(*sys.version_info[:2], sysconfig.get_path('include'))"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    major, minor, folder = said.strip().split(" ", 2)
    return (int(major), int(minor)), Path(folder)


def generate(version: tuple[int, int], folder: Path) -> list[int]:
    """The row of a version, by compiling and running the program against the headers in `folder`."""
    includes, row = ROWS[version]
    lines = "\n".join(f'#include "internal/pycore_{name}.h"' for name in includes)
    with tempfile.TemporaryDirectory() as scratch:
        source, program = Path(scratch, "offsets.c"), Path(scratch, "offsets")
        source.write_text(PROGRAM.format(includes=lines, row=row))
        search = [f"-I{folder}", f"-I{folder / 'internal'}"]
        subprocess.run(["cc", "-w", *search, str(source), "-o", str(program)], check=True)
        said = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    return [int(number) for number in said.split()]


def main() -> None:
    """Print the row of one interpreter."""
    version, folder = headers(sys.argv[1] if len(sys.argv) > 1 else sys.executable)
    print(json.dumps({"version": version, "row": generate(version, folder)}))


if __name__ == "__main__":
    main()
