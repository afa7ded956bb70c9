/* Prints one row of python_offsets.inc for the CPython headers it is compiled against (3.11 and 3.12 only: from 3.13
 * on the target carries the same numbers itself, in _Py_DebugOffsets):
 *     gcc -w -I$INC -I$INC/internal native/generate_offsets.c -o generate_offsets && ./generate_offsets
 * The rows of 3.11.2 and 3.11.7 are equal; the layout is frozen within a minor version. */
#define Py_BUILD_CORE 1
#include <stddef.h>
#include <stdio.h>
#include "Python.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"
#define PRINT(name, v) printf(" ." #name " = %lu,", (unsigned long)(v))
#define OFFSET(name, type, member) PRINT(name, offsetof(type, member))
#if PY_VERSION_HEX < 0x030c0000
#define FUNCTION f_func
#define GILS OFFSET(runtime_gil, _PyRuntimeState, ceval.gil), PRINT(interp_gil, 0) /* one, inside _PyRuntime */
#else
#define FUNCTION f_funcobj
#define GILS PRINT(runtime_gil, 0), OFFSET(interp_gil, PyInterpreterState, ceval.gil) /* a pointer in each */
#endif
typedef _PyInterpreterFrame Frame;
typedef struct _gil_runtime_state Gil;

int main(void) {
    printf("{.version = 0x%x,", PY_VERSION_HEX >> 16);
    OFFSET(runtime_interpreters, _PyRuntimeState, interpreters.head), GILS;
    OFFSET(interp_next, PyInterpreterState, next), OFFSET(interp_threads, PyInterpreterState, threads.head);
    OFFSET(thread_next, PyThreadState, next), OFFSET(thread_interp, PyThreadState, interp);
    OFFSET(thread_frame, PyThreadState, cframe), PRINT(thread_frame_is_cframe, 1);
    OFFSET(cframe_frame, _PyCFrame, current_frame), OFFSET(thread_native_id, PyThreadState, native_thread_id);
    OFFSET(thread_chunk, PyThreadState, datastack_chunk), OFFSET(thread_top, PyThreadState, datastack_top);
    OFFSET(gil_holder, Gil, last_holder), OFFSET(gil_locked, Gil, locked), PRINT(gil_size, sizeof(Gil));
    OFFSET(frame_previous, Frame, previous), OFFSET(frame_owner, Frame, owner), OFFSET(frame_size, Frame, localsplus);
    OFFSET(frame_code, Frame, f_code), OFFSET(frame_instruction, Frame, prev_instr);
    OFFSET(frame_function, Frame, FUNCTION), OFFSET(code_filename, PyCodeObject, co_filename);
    OFFSET(code_qualname, PyCodeObject, co_qualname), OFFSET(code_linetable, PyCodeObject, co_linetable);
    OFFSET(code_first_line, PyCodeObject, co_firstlineno);
    OFFSET(code_instructions, PyCodeObject, co_code_adaptive);
    OFFSET(code_first_traceable, PyCodeObject, _co_firsttraceable), OFFSET(str_state, PyASCIIObject, state);
    OFFSET(str_length, PyASCIIObject, length), PRINT(str_ascii, sizeof(PyASCIIObject));
    PRINT(str_compact, sizeof(PyCompactUnicodeObject)), OFFSET(bytes_data, PyBytesObject, ob_sval), puts("},");
}
