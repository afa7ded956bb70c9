// The CPython runtime inside another process: finding it, its threads, and who holds the GIL.
#pragma once
#include "proc_reader.hpp"
#include "python_frames.hpp"
namespace storeprof {
// Of the main interpreter: threads of sub-interpreters have no stacks here.
class PythonProcess {
  public:
    struct ThreadState { Address address; const uint8_t* copy; uint32_t native_id; };
    PythonProcess(const TargetMemory& memory, StackTable& stacks)
        : memory_(memory), codes_(memory, stacks), reader_(memory, codes_) {}
    const PythonRuntime& found() const { return found_; }
    int failures() const { return failures_; }  // rounds in a row
    const std::vector<ThreadState>& threads() const { return threads_; }
    void reset() {  // after exec: nothing that was known holds
        found_ = {}, failures_ = 0;
        listed_.clear(), threads_.clear();
    }
    // One attempt to find the runtime among the mapped images; repeated, as a program may load Python late.
    void attach(const FindPython& find) {
        found_ = find(memory_.pid()), unmatched_ = 0;
        if (found_.state != PythonState::attached) return;
        codes_.reset(o_, found_.code_type), reader_.reset(o_);
    }
    // Reads thread states and GIL in one batch, checking that the list still links as remembered; walks it again when it
    // does not, or when told to. False when memory is not what it was.
    bool begin_round(bool relist) {
        for (int attempt = 0; found_.state == PythonState::attached && attempt < 3; attempt++) {
            if (relist || attempt || listed_.empty()) list_again();
            if (read_list()) return failures_ = 0, true;
        }
        threads_.clear();
        failures_ += found_.state == PythonState::attached;
        return false;
    }
    // Called with what /proc says: a layout that never matches one native thread id is not the one we think.
    void check_layout(size_t matching) {
        unmatched_ = threads_.empty() || matching ? 0 : unmatched_ + 1;
        if (unmatched_ < 200) return;
        found_.state = PythonState::refused, found_.why = "its thread list does not match /proc (unknown layout)";
        threads_.clear();
    }
    bool collects_garbage(const ThreadState& t) const { return collecting_ && holds_gil(t); }
    bool holds_gil(const ThreadState& t) const { return gil_locked_ && gil_holder_ == t.address; }
    bool in_gil(Address a) const { return a >= gil_ && a < gil_ + o_.gil_size; }
    uint32_t gil_holder() const {  // its native id, 0 when nobody holds it
        auto at = std::find_if(threads_.begin(), threads_.end(), [&](auto& t) { return holds_gil(t); });
        return at == threads_.end() ? 0 : at->native_id;
    }
    StackStatus read_stack(PythonThread& hints, const ThreadState& thread, uint64_t now_ns, std::vector<uint32_t>& frames) {
        if (hints.state != thread.address) hints = {}, hints.state = thread.address;
        return reader_.read(hints, thread.copy, now_ns, frames);
    }
  private:
    static constexpr size_t kMaxThreads = 16384;
    // Walks the linked list, one call a link: only when something changed.
    void list_again() {
        auto get = [&](Address at) { return memory_.get_or_zero<Address>(at); };
        listed_.clear();
        interpreter_ = get(main_interpreter());
        gil_ = o_.runtime_gil ? found_.runtime + o_.runtime_gil : get(interpreter_ + o_.interp_gil);
        Address t = get(interpreter_ + o_.interp_threads);
        for (; plausible(t) && listed_.size() < kMaxThreads; t = get(t + o_.thread_next)) listed_.push_back(t);
    }
    bool read_list() {
        batch_.clear(), threads_.clear();
        if (!plausible(interpreter_) || !plausible(gil_)) return true;  // still being made, or finalised
        size_t main = batch_.add(main_interpreter(), 8), first = batch_.add(interpreter_ + o_.interp_threads, 8);
        size_t gil = batch_.add(gil_, o_.gil_read_size());
        size_t gc = batch_.add(interpreter_ + o_.interp_gc + o_.gc_collecting, 4), at = gc + 4;
        for (Address thread : listed_) batch_.add(thread, o_.thread_size());
        if (!batch_.run(memory_) || batch_.get<Address>(main) != interpreter_) return false;
        gil_holder_ = batch_.get<Address>(gil + o_.gil_holder), gil_locked_ = batch_.get<int>(gil + o_.gil_locked) == 1;
        collecting_ = batch_.get<int>(gc) == 1;
        Address next = batch_.get<Address>(first);
        for (Address thread : listed_) {
            const uint8_t* copy = batch_.at(at);
            if (next != thread || field<Address>(copy, o_.thread_interp) != interpreter_) return false;
            next = field<Address>(copy, o_.thread_next), at += o_.thread_size();
            threads_.push_back({thread, copy, static_cast<uint32_t>(field<uint64_t>(copy, o_.thread_native_id))});
        }
        return !next;
    }
    Address main_interpreter() const { return found_.runtime + o_.runtime_interpreters + 8; }  // after the head of the list

    const TargetMemory& memory_;
    CodeCache codes_;
    StackReader reader_;
    PythonRuntime found_;
    const PythonOffsets& o_ = found_.offsets;
    Address interpreter_ = 0, gil_ = 0, gil_holder_ = 0;
    bool gil_locked_ = false, collecting_ = false;
    std::vector<Address> listed_;
    std::vector<ThreadState> threads_;  // of this round; copies point into batch_
    ReadBatch batch_;
    int failures_ = 0, unmatched_ = 0;
};
}  // namespace storeprof
