// Python stacks of another process, read without stopping it.
//
// Frames of one thread lie one after another in its data stack; frames of generators and (3.12+) shims at entries from C
// lie elsewhere and are prefetched from where the last look found them. Everything is read in ONE call in this order:
//     A: stack, others | M: pointer to the current frame | B: top of the stack again, others again
// A chain that starts at M and is linked equally in A and B existed as a whole at the instant of M. (With the pointer read
// first, leftovers of a popped callee above a new caller pass far more often.) When only the leaf differs, B's is used:
// it was called by the same caller, while A's may be a leftover of an earlier call.
#pragma once
#include "python_code.hpp"
namespace storeprof {
enum class StackStatus : uint8_t { none, ok, leaf_moved, partial, torn };  // py_status of the journal
struct PythonThread {  // what one look leaves for the next; only hints, all of it is verified
    struct Chunk { Address address; uint64_t size; Address top; };
    Address state = 0;
    std::vector<Chunk> chunks;     // of the data stack, youngest first
    std::vector<Address> outside;  // frames outside the data stack, latest first
    unsigned looks = 0;            // since the start; old hints make a look longer, and long looks miss short functions
    Address low = 0, high = 0;     // on the C stack: its entries into the evaluation loop (cframes) lie between
    std::unordered_map<Address, std::pair<Address, Address>> asked;  // generators: their code, and who asked them last
};
class StackReader {
  public:
    StackReader(const TargetMemory& memory, CodeCache& codes) : memory_(memory), codes_(codes) {}
    void reset(const PythonOffsets& offsets) { o_ = offsets; }
    // `copy` is the PyThreadState as the round's batch saw it; `frames` receives frame numbers, leaf first.
    StackStatus read(PythonThread& thread, const uint8_t* copy, uint64_t now_ns, std::vector<uint32_t>& frames) {
        state_.assign(copy, copy + o_.thread_size());
        if (++thread.looks % kFresh == 0) thread.low = 0, thread.outside.clear();
        for (int attempt = 0; attempt < kAttempts; attempt++) {
            frames.clear(), entry_ = field<Address>(state_.data(), o_.thread_frame);
            if (!o_.thread_frame_is_cframe && !entry_) return StackStatus::none;
            if (o_.thread_frame_is_cframe) widen(thread);
            Fetch fetched = fetch(thread, state_.data());
            if (fetched == Fetch::unreadable) {  // a prefetched address was unmapped meanwhile
                thread.outside.clear(), thread.chunks.clear(), thread.low = 0;
                if (!memory_.read(thread.state, state_.data(), state_.size())) return StackStatus::torn;
                continue;
            }
            state_.assign(batch_.at(0), batch_.at(0) + o_.thread_size());
            if (fetched == Fetch::moved && attempt + 1 < kAttempts) continue;
            if (!leaf_) return fetched == Fetch::moved ? StackStatus::torn : StackStatus::none;
            StackStatus status = walk(thread, now_ns, frames);
            remember(thread);
            if (status != StackStatus::torn) return status;
        }
        return frames.clear(), StackStatus::torn;
    }
  private:
    static constexpr int kAttempts = 3;
    static constexpr size_t kRecent = 12, kFresh = 64, kMaxOutside = 200, kMaxDepth = 5000, kMaxChunks = 256;
    static constexpr size_t kMaxStackBytes = 16 << 20, kMaxStackPiece = 32 << 10, kMaxAsked = 1000;
    enum Owner : uint8_t { by_thread, by_generator, by_frame_object, by_c_stack };
    enum class Fetch { whole, moved, unreadable };
    struct Window { Address low, high; size_t offset; };
    struct Copies { const uint8_t *first = nullptr, *second = nullptr; bool in_stack = false; };
    // A thread goes in and out of the same generators and entries: those of the last looks are fetched as well. Entries
    // are read as one piece, which takes as long as two of eight bytes: a look must be shorter than what it looks at.
    void remember(PythonThread& thread) {
        for (Address a : thread.outside)
            if (auto end = found_outside_.end(); std::find(found_outside_.begin(), end, a) == end) found_outside_.push_back(a);
        if (found_outside_.size() > kRecent) found_outside_.resize(kRecent);
        thread.outside.swap(found_outside_);
    }
    void widen(PythonThread& thread) const {
        Address low = std::min(thread.low, entry_), high = std::max(thread.high, entry_);
        bool fits = low && high - low < kMaxStackPiece;
        thread.low = fits ? low : entry_, thread.high = fits ? high : entry_;
    }
    void load_chunks(PythonThread& thread, Address youngest) {
        uint64_t total = 0;
        thread.chunks.clear();
        for (Address a = youngest; plausible(a) && thread.chunks.size() < kMaxChunks;) {
            uint64_t head[3];  // previous, size, top (an index of words after the header)
            if (!memory_.get(a, head) || (total += head[1]) > kMaxStackBytes || head[2] > head[1] / 8) break;
            thread.chunks.push_back({a, head[1], a + 24 + head[2] * 8});
            a = head[0];
        }
    }
    Fetch fetch(PythonThread& thread, const uint8_t* state) {
        Address chunk = field<Address>(state, o_.thread_chunk), top = field<Address>(state, o_.thread_top);
        if (thread.chunks.empty() || thread.chunks[0].address != chunk) load_chunks(thread, chunk);
        batch_.clear(), windows_.clear(), outside_first_.clear(), outside_second_.clear();
        batch_.add(thread.state, o_.thread_size());
        add_windows(thread, top);
        size_t middle = batch_.add(thread.state + o_.thread_frame, 8);
        size_t entries = o_.thread_frame_is_cframe ? batch_.add(thread.low + o_.cframe_frame, thread.high + 8 - thread.low) : 0;
        Address high = windows_.empty() ? 0 : windows_.back().high;  // only the youngest 4 KiB can have moved
        again_from_ = windows_.empty() ? 0 : std::max(windows_.back().low, high - 4096);
        again_ = windows_.empty() ? 0 : batch_.add(again_from_, high - again_from_);
        for (Address a : thread.outside) outside_second_.push_back(batch_.add(a, o_.frame_size));
        if (!batch_.run(memory_)) return Fetch::unreadable;
        entry_ = batch_.get<Address>(middle);
        bool known = !o_.thread_frame_is_cframe || (entry_ >= thread.low && entry_ <= thread.high);
        leaf_ = !o_.thread_frame_is_cframe ? entry_ : known ? batch_.get<Address>(entries + (entry_ - thread.low)) : 0;
        bool moved = batch_.get<Address>(o_.thread_chunk) != chunk || !known;
        if (!windows_.empty() && leaf_ + o_.frame_size > high)  // the leaf lies above what was read of its chunk
            moved |= leaf_ >= thread.chunks[0].address && leaf_ < thread.chunks[0].address + thread.chunks[0].size;
        return moved ? Fetch::moved : Fetch::whole;
    }
    void add_windows(PythonThread& thread, Address top) {
        for (size_t i = thread.chunks.size(); i-- > 0;) {
            if (i == 0)  // before the youngest frames: their A-M-B gap is the shortest
                for (Address a : thread.outside) outside_first_.push_back(batch_.add(a, o_.frame_size));
            auto& c = thread.chunks[i];
            Address low = c.address + 24, end = c.address + c.size;
            Address high = i ? c.top : std::min<Address>(top + 512, end);
            if (high > low && high <= end) windows_.push_back({low, high, batch_.add(low, high - low)});
        }
        if (thread.chunks.empty()) thread.outside.clear();
    }
    Copies locate(const PythonThread& thread, Address frame) const {
        for (size_t i = windows_.size(); i-- > 0;) {
            auto& w = windows_[i];
            if (frame < w.low || frame + o_.frame_size > w.high) continue;
            bool twice = i + 1 == windows_.size() && frame >= again_from_;
            return {batch_.at(w.offset + (frame - w.low)), twice ? batch_.at(again_ + (frame - again_from_)) : nullptr, true};
        }
        for (size_t i = 0; i < thread.outside.size(); i++)
            if (thread.outside[i] == frame) return {batch_.at(outside_first_[i]), batch_.at(outside_second_[i])};
        return {};
    }
    bool linked_equally(const Copies& c) const {
        return !c.second || (field<Address>(c.first, o_.frame_code) == field<Address>(c.second, o_.frame_code) &&
                             field<Address>(c.first, o_.frame_previous) == field<Address>(c.second, o_.frame_previous) &&
                             c.first[o_.frame_owner] == c.second[o_.frame_owner]);
    }
    // A suspended generator has no caller; resumed many times per microsecond, either copy may show that.
    const uint8_t* choose(const Copies& c) const {
        bool suspended = c.second && c.first[o_.frame_owner] == by_generator && !field<Address>(c.second, o_.frame_previous);
        return c.second && !suspended ? c.second : c.first;
    }
    StackStatus walk(PythonThread& thread, uint64_t now_ns, std::vector<uint32_t>& frames) {
        StackStatus status = StackStatus::ok;
        bool leaf = true, read_later = false;
        uint8_t late[256];
        size_t steps = 0;
        found_outside_.clear();
        for (Address a = leaf_, previous; a; a = previous) {
            if (!plausible(a) || steps++ > kMaxDepth) return StackStatus::torn;
            Copies copies = locate(thread, a);
            if (!copies.in_stack) {
                if (found_outside_.size() >= kMaxOutside) return StackStatus::torn;
                found_outside_.push_back(a);
            }
            if (!copies.first) {  // a new generator or shim: one more call, verified at the end
                if (!memory_.read(a, late, o_.frame_size)) return StackStatus::torn;
                copies.first = late;
                read_later = true;
            }
            const uint8_t* frame = choose(copies);
            previous = field<Address>(frame, o_.frame_previous);
            if (frame[o_.frame_owner] == by_generator && !asked(thread, a, field<Address>(frame, o_.frame_code), previous))
                status = StackStatus::partial;
            if (!possible(frame, a, previous, copies.in_stack)) return StackStatus::torn;
            if (frame[o_.frame_owner] == by_c_stack) continue;  // has no code of its own
            if (!add(copies, frame, leaf, now_ns, status, frames)) return StackStatus::torn;
            leaf = false;
        }
        // A frame that is being set up or cleared has no caller yet or any more: a chain that ends there is no stack.
        return frames.empty() || (read_later && leaf_moved_away(thread)) ? StackStatus::torn : status;
    }
    // Resumed many times per microsecond, a generator may show no caller in either copy: it has the one of last time.
    static bool asked(PythonThread& thread, Address generator, Address code, Address& caller) {
        if (thread.asked.size() > kMaxAsked) thread.asked.clear();
        auto& [of, last] = thread.asked[generator];
        if (caller || of != code) return of = code, last = caller, true;
        return caller = last, false;
    }
    bool possible(const uint8_t* frame, Address address, Address previous, bool in_stack) const {
        uint8_t owner = frame[o_.frame_owner];
        if (owner > by_c_stack || previous == address) return false;
        if (owner == by_generator && !previous) return false;  // never the bottom of a thread
        // The data stack only grows upwards, so within a chunk a caller lies below its callee.
        return !(in_stack && previous > address && previous < address + 4096);
    }
    // Appends the frame; lowers `status` to what is still certain. False when nothing is.
    bool add(const Copies& copies, const uint8_t* frame, bool leaf, uint64_t now_ns, StackStatus& status,
             std::vector<uint32_t>& frames) {
        bool same = linked_equally(copies);
        Address address = field<Address>(frame, o_.frame_code), instruction = field<Address>(frame, o_.frame_instruction);
        // A caller stands still at its call; if its instruction moved, B's callee may not be the one of M.
        if (copies.second && !leaf && same && status == StackStatus::ok &&
            field<Address>(copies.first, o_.frame_instruction) != field<Address>(copies.second, o_.frame_instruction))
            status = StackStatus::leaf_moved;
        Address function = field<Address>(frame, o_.frame_function);
        Code* code = codes_.find(address, function, now_ns);
        if (code && !codes_.holds(*code, address, instruction)) {
            code = codes_.find(address, function, now_ns, true);
            same = same && code && codes_.holds(*code, address, instruction);
        }
        if (!code && !leaf) return false;
        if (!code || (!same && !leaf)) status = StackStatus::partial;
        if (!same && leaf && status == StackStatus::ok) status = StackStatus::leaf_moved;
        if (!code) return true;
        int64_t unit = codes_.unit(address, instruction);
        bool generator = frame[o_.frame_owner] == by_generator;
        bool incomplete = !generator && unit < code->first_traceable;  // being set up: not a frame for CPython either
        unit = std::clamp<int64_t>(unit, -1, static_cast<int64_t>(code->identity.units));
        if (!incomplete) frames.push_back(codes_.frame(*code, unit, generator));
        return true;
    }
    // Pieces read later than the rest are only right if the thread still is where it was.
    bool leaf_moved_away(const PythonThread& thread) const {
        Address pointer = o_.thread_frame_is_cframe ? entry_ + o_.cframe_frame : thread.state + o_.thread_frame;
        return memory_.get_or_zero<Address>(pointer) != leaf_;
    }
    const TargetMemory& memory_;
    CodeCache& codes_;
    PythonOffsets o_{};
    ReadBatch batch_;
    std::vector<uint8_t> state_;
    std::vector<Window> windows_;  // oldest first
    std::vector<size_t> outside_first_, outside_second_;
    std::vector<Address> found_outside_;
    Address leaf_ = 0, entry_ = 0, again_from_ = 0;
    size_t again_ = 0;
};
}  // namespace storeprof
