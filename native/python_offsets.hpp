// Where CPython keeps what a stack reader needs, per version.
#pragma once

#include <pthread.h>

#include "target_memory.hpp"

namespace storeprof {

// Byte offsets of fields; thread = PyThreadState, frame = _PyInterpreterFrame, gil = struct _gil_runtime_state.
struct PythonOffsets {
    uint64_t version, runtime_interpreters, runtime_gil, interp_gil, interp_threads, interp_gc, gc_collecting;  // version: 0x30b is 3.11
    uint64_t thread_next, thread_interp, thread_frame, thread_frame_is_cframe, cframe_frame, thread_native_id;
    uint64_t thread_chunk, thread_top, gil_holder, gil_locked, gil_size;
    uint64_t frame_previous, frame_owner, frame_size, frame_code, frame_instruction, frame_function;
    uint64_t code_filename, code_qualname, code_linetable, code_first_line, code_instructions, code_first_traceable;
    uint64_t str_state, str_length, str_ascii, str_compact, bytes_data;

    uint64_t thread_size() const { return thread_top + 8; }
    uint64_t gil_read_size() const { return gil_locked + 4; }
    std::string name() const { return std::to_string(version >> 8 & 255) + "." + std::to_string(version & 255); }
};

// In the order of PythonOffsets. The rows of 3.11 and 3.12 are offsetof() of each field as a ten-line program prints them,
// compiled with -DPy_BUILD_CORE against that version's internal/pycore_{frame,interp,runtime}.h (3.11.7 and 3.12.1; the
// layout is frozen within a minor version). The row of 3.13 is where the target's own table, _Py_DebugOffsets, has each
// offset, in 64-bit words (0: not there).
constexpr PythonOffsets kKnownOffsets[] = {
    {0x30b, 40, 360, 0, 16, 848, 0, /*thread*/ 8, 16, 56, 1, 8, 160, 296, 304, /*gil*/ 8, 16, 208, /*frame*/ 48, 69, 72, 32, 56, 0,
     /*code*/ 112, 128, 136, 72, 184, 168, /*str, bytes*/ 32, 16, 48, 72, 32},
    {0x30c, 40, 0, 384, 72, 312, 0, /*thread*/ 8, 16, 56, 1, 0, 144, 232, 240, /*gil*/ 8, 16, 208, /*frame*/ 8, 70, 72, 0, 56, 16,
     /*code*/ 112, 128, 136, 68, 192, 176, /*str, bytes*/ 32, 16, 40, 56, 32},
    {0x30d, 5, 0, 14, 9, 10, 72, /*thread*/ 21, 22, 23, 0, 0, 25, 26, 0, /*gil*/ 18, 17, 0, /*frame*/ 29, 33, 32, 30, 31, 0,
     /*code*/ 35, 37, 38, 39, 43, 0, /*str, bytes*/ 68, 69, 70, 0, 66},
};

// _Py_DebugOffsets of 3.13, the first member of _PyRuntime there, up to its last field.
struct DebugTable { uint64_t cookie, version, free_threaded, to_gil_state[12], gil_state, to_gc_collecting[57]; };

inline void translate(PythonOffsets& o, const DebugTable& debug) {
    auto* of = reinterpret_cast<uint64_t*>(&o);
    for (size_t i = 1; i < sizeof o / 8; i++) of[i] = of[i] ? (&debug.cookie)[of[i]] : 0;
    // 3.13.0 counts these two from the interpreter (whose own GIL is at gil_state), not from the GIL.
    uint64_t base = o.gil_locked > debug.gil_state ? debug.gil_state : 0;
    o.gil_locked -= base, o.gil_holder -= base;
    // Not in the table, known by their neighbours:
    o.gil_size = o.gil_locked + 16 + 2 * (sizeof(pthread_cond_t) + sizeof(pthread_mutex_t));
    o.thread_top = o.thread_chunk + 8, o.frame_function = o.frame_previous + 8;
    o.code_first_traceable = o.code_instructions - 16, o.str_compact = o.str_ascii + 16;
}

// Offsets come from the target's memory and size our reads: none may be wild.
inline bool sane(const PythonOffsets& o) {
    auto inside = [](uint64_t size, uint64_t limit, std::initializer_list<uint64_t> fields) {
        return size <= limit && std::all_of(fields.begin(), fields.end(), [&](uint64_t f) { return f < size && f + 8 <= size; });
    };
    return inside(o.thread_size(), 4096, {o.thread_next, o.thread_interp, o.thread_frame, o.thread_native_id, o.thread_chunk}) &&
           inside(o.frame_size, 256, {o.frame_previous, o.frame_code, o.frame_instruction, o.frame_function}) &&
           inside(o.code_instructions, 512, {o.code_filename, o.code_qualname, o.code_linetable, o.code_first_line}) &&
           inside(o.gil_read_size(), 4096, {o.gil_holder}) && inside(o.str_compact, 128, {o.str_length, o.str_state}) &&
           o.frame_owner < o.frame_size && o.code_first_traceable < o.code_instructions && o.bytes_data < 128;
}

// Fills `to`, or returns why not. `version_symbol` is the address of Py_Version (exported since 3.11), or 0.
inline std::string find_offsets(const TargetMemory& memory, Address runtime, Address version_symbol, PythonOffsets& to) {
    DebugTable debug;
    if (!memory.get(runtime, debug)) return "the interpreter's state can't be read";
    bool has_table = !memcmp(&debug.cookie, "xdebugpy", 8);
    uint64_t version = has_table ? debug.version : version_symbol ? memory.get_or_zero<uint64_t>(version_symbol) : 0;
    if (!version) return "Python 3.10 or older is not supported (3.11 to 3.13 are)";
    to.version = version >> 16;
    std::string name = "Python " + to.name();
    auto* row = std::find_if(std::begin(kKnownOffsets), std::end(kKnownOffsets), [&](auto& r) { return r.version == to.version; });
    if (row == std::end(kKnownOffsets) || has_table != (to.version >= 0x30d)) return name + " is not supported (3.11 to 3.13 are)";
    if (has_table && debug.free_threaded) return "free-threaded builds of " + name + " are not supported";
    to = *row;
    if (has_table) translate(to, debug);
    return sane(to) ? "" : "the interpreter's offset table makes no sense";
}

}  // namespace storeprof
