// Code objects of the target, copied once: names, line table; and the numbering of frames and stacks.
#pragma once

#include <memory>
#include <unordered_map>

#include "python_offsets.hpp"

namespace storeprof {

// Numbers frames (function, line) and stacks (frame, caller's stack); the numbers outlive exec and code objects.
class StackTable {
  public:
    explicit StackTable(Tables& out) : out_(out) {}
    uint32_t frame(const std::string& function, const std::string& file, int line, int first_line, bool generator) {
        JsonLine json("function", function, "file", file, "line", std::max(line, 0), "first_line", std::max(first_line, 0),
                      "generator", generator);
        auto [at, added] = frames_.try_emplace(json.str(), frames_.size());
        if (!added) return at->second;
        json.add("frame", at->second);
        out_.line(Table::frames, json);
        return at->second;
    }
    uint32_t push(uint32_t caller, uint32_t frame) {
        auto [at, added] = stacks_.try_emplace(uint64_t{caller} << 32 | frame, stacks_.size());
        if (added) out_.row<12>(Table::stacks, at->second, caller, frame);
        return at->second;
    }

  private:
    Tables& out_;
    std::unordered_map<std::string, uint32_t> frames_;
    std::unordered_map<uint64_t, uint32_t> stacks_;
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
    int first_line, first_traceable;
    std::string qualname, filename;
    std::vector<std::pair<uint32_t, int>> lines;           // (end unit, line)
    std::unordered_map<uint32_t, uint32_t> frame_of_unit;  // unit * 2 + generator -> frame number

    int line(int64_t unit) const {
        auto at = std::upper_bound(lines.begin(), lines.end(), unit, [](int64_t u, auto& e) { return u < e.first; });
        return unit < 0 ? first_line : at == lines.end() ? 0 : at->second;
    }
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
        if (!code || code->identity != seen)
            code.reset(new Code{seen, now_ns, 0, 0, first_line, traceable, text(seen.qualname), text(seen.filename),
                                lines_of(seen.linetable, first_line), {}});
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
    uint32_t frame(Code& code, int64_t unit, bool generator) {
        auto [at, added] = code.frame_of_unit.try_emplace(static_cast<uint32_t>(unit + 1) * 2 + generator, 0);
        if (added) at->second = stacks_.frame(code.qualname, code.filename, code.line(unit), code.first_line, generator);
        return at->second;
    }

  private:
    std::string text(Address str) const {
        uint8_t head[128];
        if (!plausible(str) || !memory_.read(str, head, o_.str_compact)) return "?";
        uint64_t length = field<uint64_t>(head, o_.str_length);
        uint32_t state = field<uint32_t>(head, o_.str_state);
        unsigned kind = state >> 2 & 7, compact = state >> 5 & 1, ascii = state >> 6 & 1;
        if (!compact || length > 4096 || (kind != 1 && kind != 2 && kind != 4)) return "?";
        std::vector<uint8_t> units(length * kind);
        if (length && !memory_.read(str + (ascii ? o_.str_ascii : o_.str_compact), units.data(), units.size())) return "?";
        std::string utf8;
        for (uint64_t i = 0; i < length; i++) {
            uint32_t c = 0;
            memcpy(&c, &units[i * kind], kind);
            int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
            utf8 += static_cast<char>("\0\xC0\xE0\xF0"[more] | c >> (6 * more));
            while (more--) utf8 += static_cast<char>(0x80 | (c >> (6 * more) & 63));
        }
        return utf8;
    }
    // The location table of 3.11 and later (CPython's Objects/locations.md).
    std::vector<std::pair<uint32_t, int>> lines_of(Address bytes, int line) const {
        std::vector<std::pair<uint32_t, int>> lines;
        uint64_t size = plausible(bytes) ? memory_.get_or_zero<uint64_t>(bytes + 16) : 0;
        std::vector<uint8_t> table(size < (1 << 20) ? size : 0);
        if (table.empty() || !memory_.read(bytes + o_.bytes_data, table.data(), size)) return lines;
        size_t i = 0;
        auto varint = [&] {
            unsigned value = 0, shift = 0, byte = 64;
            for (; byte & 64 && shift < 30; shift += 6) value |= ((byte = i < size ? table[i++] : 0) & 63) << shift;
            return value;
        };
        auto signed_varint = [&](unsigned v) { return v & 1 ? -static_cast<int>(v >> 1) : static_cast<int>(v >> 1); };
        for (uint32_t unit = 0; i < size;) {
            unsigned head = table[i++], kind = head >> 3 & 15;
            if (kind == 14) line += signed_varint(varint()), varint(), varint(), varint();  // long form
            else if (kind == 13) line += signed_varint(varint());                           // no columns
            else if (kind >= 10 && kind < 13) line += kind - 10, i += 2;                    // one line, columns
            else if (kind < 10) i++;                                                        // short form, same line
            lines.push_back({unit += (head & 7) + 1, kind == 15 ? 0 : line});
        }
        return lines;
    }

    const TargetMemory& memory_;
    StackTable& stacks_;
    PythonOffsets o_{};
    Address code_type_ = 0;
    std::unordered_map<Address, std::unique_ptr<Code>> codes_;
};

}  // namespace storeprof
