// Where the target's CPython keeps what a stack reader needs. Found and checked by storeprof.observe.python_runtime.
#pragma once
#include <functional>
#include "target_memory.hpp"
namespace storeprof {
// Byte offsets, in the order of FIELDS in storeprof/observe/python_offsets.py, which says what they are.
struct PythonOffsets {
    uint64_t runtime_interpreters, runtime_gil, interp_gil, interp_threads, interp_gc, gc_collecting;
    uint64_t thread_next, thread_interp, thread_frame, thread_frame_is_cframe, cframe_frame, thread_native_id;
    uint64_t thread_chunk, thread_top, gil_holder, gil_locked, gil_size;
    uint64_t frame_previous, frame_owner, frame_size, frame_code, frame_instruction, frame_function;
    uint64_t code_filename, code_qualname, code_linetable, code_first_line, code_instructions, code_first_traceable;
    uint64_t str_state, str_length, str_ascii, str_compact, bytes_data;
    uint64_t thread_size() const { return thread_top + 8; }
    uint64_t gil_read_size() const { return gil_locked + 4; }
};
enum class PythonState { searching, attached, refused };
struct PythonRuntime {
    PythonState state = PythonState::searching;
    std::string version, why = "not looked at yet";  // why: empty when attached
    Address runtime = 0, code_type = 0;
    PythonOffsets offsets{};
};
using FindPython = std::function<PythonRuntime(pid_t)>;
}  // namespace storeprof
