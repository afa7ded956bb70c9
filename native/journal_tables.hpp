// Packed rows and JSON lines of docs/formats/journal.md, and the buffers that carry them to Python.
#pragma once
#include <array>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>
namespace storeprof {
constexpr uint32_t kNone = 0xFFFFFFFF;
constexpr size_t kTables = 15;
enum class Table : uint8_t {
    looks = 1, thread_time, threads, frames, stacks, resources, scope_nodes, scope_counts, scope_histograms,
    operations, memory_tags, memory, anchors, processes,
};
#pragma pack(push, 1)
struct LookRow {
    uint64_t t_ns;
    uint32_t thread, weight_ns;
    uint64_t arg0, arg1;
    int16_t syscall;
    uint8_t state, flags, py_status, reserved;
    uint16_t faults;
    uint32_t arg2, holder, resource, py_stack, scope_node, op_seq;
    uint64_t stack_pointer;
};
#pragma pack(pop)
// One JSON object on one line. Names come from foreign memory: readers replace what is not UTF-8, and split at \n only.
class JsonLine {
  public:
    JsonLine() = default;
    template <class... More> explicit JsonLine(const char* key, More&&... more) { add(key, more...); }
    template <class V, class... More> void add(const char* key, const V& value, More&&... more) {
        out_.append(out_.size() > 1 ? ",\"" : "\"").append(key).append("\":");
        if constexpr (std::is_same_v<V, bool>) out_ += value ? "true" : "false";
        else if constexpr (std::is_arithmetic_v<V>) out_ += std::to_string(value);
        else if constexpr (std::is_null_pointer_v<V>) out_ += "null";
        else add_text(value);
        if constexpr (sizeof...(more) > 0) add(more...);
    }
    std::string str() const { return out_ + "}"; }
  private:
    void add_text(std::string_view v) {
        static constexpr char hex[] = "0123456789abcdef";
        out_ += '"';
        for (char c : v) {
            if (static_cast<uint8_t>(c) >= 0x20 && c != '"' && c != '\\') out_ += c;
            else out_.append("\\u00").append({hex[c >> 4 & 15], hex[c & 15]});
        }
        out_ += '"';
    }
    std::string out_ = "{";
};
// Filled by the sampler thread, handed over round by round, and taken by Python's. Names and totals are always kept; looks
// and operations, which are samples and the bulk, are dropped (and counted) once nobody has taken `limit` bytes.
class Tables {
  public:
    using Bytes = std::array<std::string, kTables>;
    explicit Tables(size_t limit) : limit_(limit) {}
    template <size_t Size, class... Fields> void row(Table t, const Fields&... fields) {
        static_assert((sizeof(Fields) + ...) == Size, "a row of docs/formats/journal.md");
        (of(t).append(reinterpret_cast<const char*>(&fields), sizeof fields), ...);
    }
    void line(Table t, const JsonLine& json) { of(t).append(json.str()) += '\n'; }
    template <class... More> void line(Table t, const char* key, const More&... more) { line(t, JsonLine(key, more...)); }
    uint64_t publish() {  // returns how many looks were dropped
        std::lock_guard<std::mutex> hold(mutex_);
        uint64_t dropped = held_ < limit_ ? 0 : of(Table::looks).size() / sizeof(LookRow);
        if (held_ >= limit_) of(Table::looks).clear(), of(Table::operations).clear();
        for (size_t i = 0; i < kTables; i++) {
            published_[i] += made_[i];
            held_ += made_[i].size();
            made_[i].clear();
        }
        return dropped;
    }
    Bytes take() {
        std::lock_guard<std::mutex> hold(mutex_);
        held_ = 0;
        return std::exchange(published_, {});
    }
  private:
    std::string& of(Table t) { return made_[static_cast<size_t>(t)]; }
    Bytes made_;
    std::mutex mutex_;  // guards what follows
    Bytes published_;
    size_t held_ = 0;
    const size_t limit_;
};
}  // namespace storeprof
