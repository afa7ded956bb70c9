// Code objects of the target, copied once; and the numbering of code, frames and stacks.
// Names and line tables are written as they lie in memory: they are decoded when the recording is finished.
#pragma once
#include <memory>
#include <unordered_map>
#include "python_offsets.hpp"
namespace storeprof {
// Numbers code (by what it says), frames (code, instruction) and stacks (frame, caller's stack); the numbers outlive exec
// and code objects.
class StackTable {
  public:
    explicit StackTable(Tables& out) : out_(out) {}
    uint32_t code(JsonLine json) {
        auto [at, added] = codes_.try_emplace(json.str(), codes_.size());
        if (!added) return at->second;
        json.add("code", at->second);
        out_.line(Table::frames, json);
        return at->second;
    }
    uint32_t frame(uint32_t code, int64_t unit, bool generator) {  // unit -1: before the first instruction
        auto [at, added] = frames_.try_emplace(uint64_t{code} << 32 | ((unit + 1) * 2 + generator), frames_.size());
        if (added) out_.line(Table::frames, "frame", at->second, "code", code, "unit", unit, "generator", generator);
        return at->second;
    }
    uint32_t push(uint32_t caller, uint32_t frame) {
        auto [at, added] = stacks_.try_emplace(uint64_t{caller} << 32 | frame, stacks_.size());
        if (added) out_.row<12>(Table::stacks, at->second, caller, frame);
        return at->second;
    }
  private:
    Tables& out_;
    std::unordered_map<std::string, uint32_t> codes_;
    std::unordered_map<uint64_t, uint32_t> frames_, stacks_;
};
struct CodeIdentity {  // of a code object, as far as it can be told cheaply
    Address qualname, filename, linetable;
    uint64_t units, first_line;
    bool operator!=(const CodeIdentity& o) const { return memcmp(this, &o, sizeof o); }  // has no padding
};
struct Code {
    CodeIdentity identity;
    uint64_t first_ns, checked_ns;
    Address function;  // that ran it when it was read last
    uint32_t number;
    int first_traceable;
};
class CodeCache {
  public:
    CodeCache(const TargetMemory& memory, StackTable& stacks) : memory_(memory), stacks_(stacks) {}
    void reset(const PythonOffsets& offsets, Address code_type) {
        o_ = offsets, code_type_ = code_type;
        codes_.clear();
    }
    // A code object may be freed (a module's, once imported) and its address reused. It is read again when another
    // function runs it than before, when an instruction does not fit (`recheck`), and after an eighth of the time it
    // has been known, at most 200 ms: a steady program pays almost nothing for it.
    Code* find(Address address, Address function, uint64_t now_ns, bool recheck = false) {
        if (codes_.size() > 100'000) codes_.clear();
        auto& code = codes_[address];
        if (code && !recheck && function == code->function &&
            now_ns - code->checked_ns < std::min<uint64_t>(200'000'000, (now_ns - code->first_ns) / 8))
            return code.get();
        uint8_t head[512];
        if (!plausible(address) || !memory_.read(address, head, o_.code_instructions) || field<Address>(head, 8) != code_type_) {
            codes_.erase(address);
            return nullptr;
        }
        int first_line = field<int>(head, o_.code_first_line), traceable = field<int>(head, o_.code_first_traceable);
        CodeIdentity seen{field<Address>(head, o_.code_qualname), field<Address>(head, o_.code_filename),
                          field<Address>(head, o_.code_linetable), field<uint64_t>(head, 16), static_cast<uint64_t>(first_line)};
        if (!code || code->identity != seen) code.reset(new Code{seen, now_ns, 0, 0, number(seen), traceable});
        code->checked_ns = now_ns, code->function = function;
        return code.get();
    }
    bool holds(const Code& code, Address address, Address instruction) const {  // prev_instr may be one unit before
        Address start = address + o_.code_instructions;
        return instruction + 2 >= start && instruction <= start + 2 * code.identity.units;
    }
    int64_t unit(Address address, Address instruction) const {
        return (static_cast<int64_t>(instruction) - static_cast<int64_t>(address + o_.code_instructions)) / 2;
    }
    uint32_t frame(const Code& code, int64_t unit, bool generator) { return stacks_.frame(code.number, unit, generator); }
  private:
    uint32_t number(const CodeIdentity& code) const {
        int first_line = static_cast<int>(code.first_line);
        uint64_t size = plausible(code.linetable) ? memory_.get_or_zero<uint64_t>(code.linetable + 16) : 0;
        return stacks_.code(JsonLine("qualname", text(code.qualname), "filename", text(code.filename), "first_line", first_line,
                                     "linetable", hex(code.linetable + o_.bytes_data, size < (1 << 20) ? size : 0)));
    }
    std::string text(Address str) const {  // "bytes per character:characters", "" when unreadable
        uint8_t head[128];
        if (!plausible(str) || !memory_.read(str, head, o_.str_compact)) return "";
        uint64_t length = field<uint64_t>(head, o_.str_length);
        uint32_t state = field<uint32_t>(head, o_.str_state);
        unsigned kind = state >> 2 & 7, compact = state >> 5 & 1, ascii = state >> 6 & 1;
        if (!compact || length > 4096 || (kind != 1 && kind != 2 && kind != 4)) return "";
        return std::to_string(kind) + ":" + hex(str + (ascii ? o_.str_ascii : o_.str_compact), length * kind);
    }
    std::string hex(Address from, size_t size) const {
        static constexpr char digits[] = "0123456789abcdef";
        std::vector<uint8_t> bytes(size);
        std::string text;
        if (!size || !memory_.read(from, bytes.data(), size)) return text;
        for (uint8_t byte : bytes) text.append({digits[byte >> 4], digits[byte & 15]});
        return text;
    }
    const TargetMemory& memory_;
    StackTable& stacks_;
    PythonOffsets o_{};
    Address code_type_ = 0;
    std::unordered_map<Address, std::unique_ptr<Code>> codes_;
};
}  // namespace storeprof
