// Packed rows and JSON lines of docs/formats/journal.md, and the buffers that carry them to Python.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace storeprof {

constexpr uint32_t kNone = 0xFFFFFFFF;
constexpr uint64_t kUnknownBytes = ~0ull;
constexpr size_t kTables = 15;
enum class Table : uint8_t {
    looks = 1, thread_time, threads, frames, stacks, resources, scope_nodes, scope_counts, scope_histograms,
    operations, memory_tags, memory, anchors, processes,
};

#pragma pack(push, 1)
struct LookRow {
    uint64_t t_ns; uint32_t thread, weight_ns; uint64_t arg0, arg1; int16_t syscall; uint8_t state, flags, py_status;
    uint8_t reserved[3]; uint32_t arg2, holder, resource, py_stack, scope_node, op_seq; uint64_t stack_pointer;
};
struct ThreadTimeRow {
    uint32_t thread, reserved; uint64_t t_ns, run_ns, delay_ns, minflt, majflt, voluntary, involuntary, slices;
};
struct StackRow { uint32_t stack, parent, frame; };
struct ScopeCountRow {
    uint64_t t_ns; uint32_t process, node, flags, reserved; uint64_t count, total_ns, self_ns, min_ns, max_ns;
    double sum_squares_ns2; uint64_t reserved1;
};
struct HistogramRow { uint64_t t_ns; uint32_t node; uint16_t bucket, count; };
struct OperationRow { uint32_t thread, op_seq, node, hit; uint64_t start_ns, duration_ns, weight_x1000, t_ns; };
struct MemoryTagRow {
    uint64_t t_ns; uint32_t process, tag; uint64_t allocations, allocated_bytes, frees, freed_bytes;
    int64_t live_bytes; uint64_t reserved;
};
struct MemoryRow { uint64_t t_ns; uint32_t process, reserved; uint64_t rss, rss_peak, read_bytes, written_bytes; };
struct AnchorRow { uint64_t ticks, monotonic_ns, boottime_ns, realtime_ns; };
#pragma pack(pop)
static_assert(sizeof(LookRow) == 72 && sizeof(ThreadTimeRow) == 72 && sizeof(ScopeCountRow) == 80);
static_assert(sizeof(HistogramRow) == 16 && sizeof(OperationRow) == 48 && sizeof(MemoryTagRow) == 64);
static_assert(sizeof(MemoryRow) == 48 && sizeof(AnchorRow) == 32 && sizeof(StackRow) == 12);

// One JSON object on one line. All of it is ASCII: readers split lines, and Unicode has line ends of its own.
class JsonLine {
  public:
    JsonLine& number(const char* key, uint64_t v) { return raw(key, std::to_string(v)); }
    JsonLine& real(const char* key, double v) { return raw(key, std::to_string(v)); }
    JsonLine& flag(const char* key, bool v) { return raw(key, v ? "true" : "false"); }
    JsonLine& null(const char* key) { return raw(key, "null"); }
    JsonLine& text_or_null(const char* key, std::string_view v) { return v.empty() ? null(key) : text(key, v); }
    JsonLine& text(const char* key, std::string_view v) {
        raw(key, "\"");
        for (size_t i = 0; i < v.size();) {
            uint32_t c = next_code_point(v, i);
            if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') out_ += static_cast<char>(c);
            else if (c < 0x10000) escape(c);
            else escape(0xD800 + ((c - 0x10000) >> 10)), escape(0xDC00 + ((c - 0x10000) & 0x3FF));
        }
        out_ += '"';
        return *this;
    }
    std::string str() const { return out_ + "}"; }

  private:
    JsonLine& raw(const char* key, std::string_view v) {
        out_ += out_.size() > 1 ? ",\"" : "\"";
        out_.append(key).append("\":").append(v);
        return *this;
    }
    void escape(uint32_t unit) {
        out_ += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4) out_ += "0123456789abcdef"[unit >> shift & 15];
    }
    // Moves `i` on; U+FFFD for what is not valid UTF-8 (names come from foreign memory).
    static uint32_t next_code_point(std::string_view s, size_t& i) {
        static constexpr uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
        uint8_t lead = s[i++];
        if (lead < 0x80) return lead;
        int more = lead >= 0xF0 && lead < 0xF5 ? 3 : lead >= 0xE0 && lead < 0xF0 ? 2 : lead >= 0xC2 && lead < 0xE0 ? 1 : 0;
        if (!more || i + more > s.size()) return 0xFFFD;
        uint32_t c = lead & (0x3F >> more);
        for (int k = 0; k < more; k++) {
            if ((s[i + k] & 0xC0) != 0x80) return 0xFFFD;
            c = c << 6 | (s[i + k] & 0x3F);
        }
        i += more;
        return c < smallest[more] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) ? 0xFFFD : c;
    }
    std::string out_ = "{";
};

// What the sampler thread has made since it last published; only that thread touches it.
class Tables {
  public:
    template <class Row> void row(Table t, const Row& r) { of(t).append(reinterpret_cast<const char*>(&r), sizeof r); }
    void line(Table t, const JsonLine& json) { of(t).append(json.str()) += '\n'; }
    std::string& of(Table t) { return bytes_[static_cast<size_t>(t)]; }

  private:
    std::array<std::string, kTables> bytes_;
};

// Hand-over between the sampler thread and the readers. Names and totals are always kept; looks and operations,
// which are samples and the bulk, are dropped (and counted) once nobody has drained `limit` bytes.
class Outbox {
  public:
    explicit Outbox(size_t limit) : limit_(limit) {}
    uint64_t publish(Tables& made) {  // returns how many looks were dropped
        std::lock_guard<std::mutex> hold(mutex_);
        uint64_t dropped = held_ >= limit_ ? made.of(Table::looks).size() / sizeof(LookRow) : 0;
        if (held_ >= limit_) made.of(Table::looks).clear(), made.of(Table::operations).clear();
        for (size_t i = 1; i < kTables; i++) {
            std::string& from = made.of(static_cast<Table>(i));
            held_ += from.size();
            of_[i] += from;
            from.clear();
        }
        return dropped;
    }
    std::array<std::string, kTables> take() {
        std::array<std::string, kTables> taken;
        std::lock_guard<std::mutex> hold(mutex_);
        taken.swap(of_);
        held_ = 0;
        return taken;
    }

  private:
    std::mutex mutex_;  // guards of_ and held_
    std::array<std::string, kTables> of_;
    size_t held_ = 0;
    const size_t limit_;
};

}  // namespace storeprof
