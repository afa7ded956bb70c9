// Where CPython keeps what a stack reader needs, per version.
#pragma once

#include <pthread.h>

#include "target_memory.hpp"

namespace storeprof {

// Byte offsets of fields; thread = PyThreadState, frame = _PyInterpreterFrame, gil = struct _gil_runtime_state.
struct PythonOffsets {
    uint64_t version;  // 0x30b is 3.11
    uint64_t runtime_interpreters, runtime_gil, interp_gil, interp_next, interp_threads;
    uint64_t thread_next, thread_interp, thread_frame, thread_frame_is_cframe, cframe_frame, thread_native_id;
    uint64_t thread_chunk, thread_top, gil_holder, gil_locked, gil_size;
    uint64_t frame_previous, frame_owner, frame_size, frame_code, frame_instruction, frame_function;
    uint64_t code_filename, code_qualname, code_linetable, code_first_line, code_instructions, code_first_traceable;
    uint64_t str_state, str_length, str_ascii, str_compact, bytes_data;

    uint64_t thread_size() const { return thread_top + 8; }
    uint64_t gil_read_size() const { return gil_locked + 4; }
};

inline const PythonOffsets* known_offsets(uint64_t version) {
    static const PythonOffsets rows[] = {
#include "python_offsets.inc"
    };
    for (auto& row : rows)
        if (row.version == version) return &row;
    return nullptr;
}

// _Py_DebugOffsets of 3.13, the first member of _PyRuntime there, up to the last field used.
struct DebugOffsets313 {
    char cookie[8];
    uint64_t version, free_threaded, runtime_size, runtime_finalizing, runtime_interpreters;
    uint64_t interp_size, interp_id, interp_next, interp_threads, interp_gc, interp_modules, interp_sysdict;
    uint64_t interp_builtins, interp_gil, gil_state, gil_enabled, gil_locked, gil_holder;
    uint64_t thread_size, thread_prev, thread_next, thread_interp, thread_frame, thread_id, thread_native_id;
    uint64_t thread_chunk, thread_status, frame_size, frame_previous, frame_code, frame_instruction;
    uint64_t frame_localsplus, frame_owner, code_size, code_filename, code_name, code_qualname, code_linetable;
    uint64_t code_first_line, code_rest[3], code_instructions, objects_to_long[20], bytes_size, bytes_length;
    uint64_t bytes_data, str_size, str_state, str_length, str_ascii;
};
static_assert(sizeof(DebugOffsets313) == 71 * 8);

inline PythonOffsets from_debug_offsets(const DebugOffsets313& d) {
    PythonOffsets o{};
    o.version = d.version >> 16;
    o.runtime_interpreters = d.runtime_interpreters;
    o.interp_gil = d.interp_gil, o.interp_next = d.interp_next, o.interp_threads = d.interp_threads;
    o.thread_next = d.thread_next, o.thread_interp = d.thread_interp, o.thread_frame = d.thread_frame;
    o.thread_native_id = d.thread_native_id, o.thread_chunk = d.thread_chunk;
    // 3.13.0 counts these two from the interpreter (whose own GIL is at gil_state), not from the GIL.
    uint64_t base = d.gil_locked > d.gil_state ? d.gil_state : 0;
    o.gil_locked = d.gil_locked - base, o.gil_holder = d.gil_holder - base;
    o.gil_size = o.gil_locked + 16 + 2 * (sizeof(pthread_cond_t) + sizeof(pthread_mutex_t));
    o.frame_previous = d.frame_previous, o.frame_owner = d.frame_owner, o.frame_size = d.frame_localsplus;
    o.frame_code = d.frame_code, o.frame_instruction = d.frame_instruction;
    o.code_filename = d.code_filename, o.code_qualname = d.code_qualname, o.code_linetable = d.code_linetable;
    o.code_first_line = d.code_first_line, o.code_instructions = d.code_instructions;
    o.str_state = d.str_state, o.str_length = d.str_length, o.str_ascii = d.str_ascii, o.bytes_data = d.bytes_data;
    o.str_compact = d.str_ascii + 16;
    // Not in the table, known by their neighbours:
    o.thread_top = d.thread_chunk + 8, o.frame_function = d.frame_previous + 8;
    o.code_first_traceable = d.code_instructions - 16;
    return o;
}

// Offsets come from the target's memory and size our reads: none may be wild.
inline bool sane(const PythonOffsets& o) {
    for (uint64_t v : {o.frame_previous, o.frame_owner, o.frame_code, o.frame_instruction, o.frame_function})
        if (v + 8 > o.frame_size && v != o.frame_owner) return false;
    for (uint64_t v : {o.code_filename, o.code_qualname, o.code_linetable, o.code_first_line, o.code_first_traceable})
        if (v + 4 > o.code_instructions) return false;
    for (uint64_t v : {o.thread_next, o.thread_interp, o.thread_frame, o.thread_native_id, o.thread_chunk})
        if (v > o.thread_top) return false;
    return o.thread_top < 4096 && o.gil_locked < 4096 && o.gil_holder + 8 <= o.gil_read_size() && o.frame_size <= 256 &&
           o.frame_owner < o.frame_size && o.code_instructions <= 512 && o.str_compact <= 128 &&
           o.str_length + 8 <= o.str_compact && o.str_state + 4 <= o.str_compact && o.bytes_data < 128;
}

// Fills `to`, or returns why not. `version_symbol` is the address of Py_Version (exported since 3.11), or 0.
inline std::string find_offsets(const TargetMemory& memory, Address runtime, Address version_symbol, PythonOffsets& to) {
    DebugOffsets313 debug;
    if (!memory.get(runtime, debug)) return "the interpreter's state can't be read";
    uint64_t version = version_symbol ? memory.get_or_zero<uint64_t>(version_symbol) >> 16 : 0;
    bool has_table = !memcmp(debug.cookie, "xdebugpy", 8);
    if (has_table) version = debug.version >> 16;
    if (!version) return "Python 3.10 or older is not supported (3.11 to 3.13 are)";
    std::string name = std::to_string(version >> 8 & 255) + "." + std::to_string(version & 255);
    const PythonOffsets* row = has_table ? nullptr : known_offsets(version);
    if (!row && (!has_table || version != 0x30d)) return "Python " + name + " is not supported (3.11 to 3.13 are)";
    if (!row && debug.free_threaded) return "free-threaded builds of Python " + name + " are not supported";
    to = row ? *row : from_debug_offsets(debug);
    return sane(to) ? "" : "the interpreter's offset table makes no sense";
}

}  // namespace storeprof
