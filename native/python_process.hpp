// The CPython runtime inside another process: finding it, its interpreters and threads, and who holds the GIL.
#pragma once

#include "proc_reader.hpp"
#include "python_frames.hpp"

namespace storeprof {

class PythonProcess {
  public:
    enum class State { searching, attached, refused };
    struct ThreadState { Address address; const uint8_t* copy; uint32_t native_id, interpreter; };

    PythonProcess(const TargetMemory& memory, StackTable& stacks) : memory_(memory), codes_(memory, stacks), reader_(memory, codes_) {}
    State state() const { return state_; }
    const std::string& version() const { return version_; }
    const std::string& why() const { return why_; }
    int failures() const { return failures_; }  // rounds in a row
    const std::vector<ThreadState>& threads() const { return threads_; }

    void reset() {  // after exec: nothing that was known holds
        state_ = State::searching, why_ = "not looked at yet", failures_ = 0;
        version_.clear(), interpreters_.clear(), threads_.clear();
    }
    // One attempt to find the runtime among the mapped images; repeated, as a program may load Python late.
    void attach(const ProcDirectory& proc) {
        why_ = "no CPython runtime in it (or its symbols were stripped)";
        std::string exe = proc.link("exe");
        for (const Mapping& m : proc.mappings()) {
            if (m.offset || m.path.empty() || (m.path != exe && m.path.find("libpython") == std::string::npos)) continue;
            MappedImage image(memory_, m.start);
            Address code_type = image.symbol("PyCode_Type");
            runtime_ = image.symbol("_PyRuntime");
            if (!runtime_ && !code_type) continue;
            std::string why = runtime_ ? find_offsets(memory_, runtime_, image.symbol("Py_Version"), o_)
                                       : "Python 3.6 or older is not supported (3.11 to 3.13 are)";
            if (!why.empty()) return refuse(std::move(why));
            state_ = State::attached, unmatched_ = 0;
            codes_.reset(o_, code_type), reader_.reset(o_);
            version_ = o_.name();
            return why_.clear();
        }
    }

    // Reads interpreters, thread states and GILs in one batch, checking that the lists still link as remembered; walks
    // them again when they don't, or when told to. False when memory is not what it was.
    bool begin_round(bool relist) {
        for (int attempt = 0; state_ == State::attached && attempt < 3; attempt++) {
            if ((relist || attempt) && !list_again()) break;
            if (read_lists()) return failures_ = 0, true;
        }
        threads_.clear();
        failures_ += state_ == State::attached;
        return false;
    }
    // Called with what /proc says: a layout that never matches one native thread id is not the one we think.
    void check_layout(size_t matching) {
        unmatched_ = threads_.empty() || matching ? 0 : unmatched_ + 1;
        if (unmatched_ == 200) refuse("its thread list does not match /proc (unknown layout)");
    }

    bool holds_gil(const ThreadState& t) const { return gil(t).locked && gil(t).holder == t.address; }
    bool in_gil(const ThreadState& t, Address a) const { return a >= gil(t).address && a < gil(t).address + o_.gil_size; }
    uint32_t gil_holder(const ThreadState& t) const {  // its native id, 0 when nobody holds it
        for (auto& other : threads_)
            if (other.interpreter == t.interpreter && holds_gil(other)) return other.native_id;
        return 0;
    }
    StackStatus read_stack(PythonThread& hints, const ThreadState& thread, uint64_t now_ns, std::vector<uint32_t>& frames) {
        if (hints.state != thread.address) hints = {thread.address, {}, {}};
        return reader_.read(hints, thread.copy, now_ns, frames);
    }

  private:
    struct Gil { Address address, holder; bool locked; };
    struct Interpreter { Address address; Gil gil; std::vector<Address> threads; };
    static constexpr size_t kMaxInterpreters = 64, kMaxThreads = 16384;

    const Gil& gil(const ThreadState& thread) const { return interpreters_[thread.interpreter].gil; }
    void refuse(std::string why) { state_ = State::refused, why_ = std::move(why), threads_.clear(); }

    // Walks the linked lists, one call a link: only when something changed.
    bool list_again() {
        interpreters_.clear();
        if (!memory_.get(runtime_ + o_.runtime_interpreters, first_interpreter_)) return false;
        size_t seen = 0, total = 0;
        auto next = [&](Address at) { return memory_.get_or_zero<Address>(at); };
        for (Address a = first_interpreter_; plausible(a) && seen++ < kMaxInterpreters; a = next(a + o_.interp_next)) {
            Address gil = o_.runtime_gil ? runtime_ + o_.runtime_gil : next(a + o_.interp_gil);
            if (!plausible(gil)) continue;  // still being made
            interpreters_.push_back({a, {gil, 0, false}, {}});
            for (Address t = next(a + o_.interp_threads); plausible(t) && total++ < kMaxThreads; t = next(t + o_.thread_next))
                interpreters_.back().threads.push_back(t);
        }
        return true;
    }
    bool read_lists() {
        batch_.clear(), threads_.clear();
        batch_.add(runtime_ + o_.runtime_interpreters, 8);
        for (auto& in : interpreters_) {
            batch_.add(in.address + o_.interp_threads, 8), batch_.add(in.gil.address, o_.gil_read_size());
            for (Address thread : in.threads) batch_.add(thread, o_.thread_size());
        }
        if (!batch_.run(memory_) || batch_.get<Address>(0) != first_interpreter_) return false;
        size_t at = 8;
        for (uint32_t i = 0; i < interpreters_.size(); i++) {
            Interpreter& in = interpreters_[i];
            Address next = batch_.get<Address>(at);
            in.gil.holder = batch_.get<Address>(at + 8 + o_.gil_holder);
            in.gil.locked = batch_.get<int>(at + 8 + o_.gil_locked) == 1;
            at += 8 + o_.gil_read_size();
            for (Address thread : in.threads) {
                const uint8_t* copy = batch_.at(at);
                if (next != thread || field<Address>(copy, o_.thread_interp) != in.address) return false;
                next = field<Address>(copy, o_.thread_next), at += o_.thread_size();
                threads_.push_back({thread, copy, static_cast<uint32_t>(field<uint64_t>(copy, o_.thread_native_id)), i});
            }
            if (next) return false;
        }
        return true;
    }

    const TargetMemory& memory_;
    CodeCache codes_;
    StackReader reader_;
    PythonOffsets o_{};
    State state_ = State::searching;
    std::string version_, why_ = "not looked at yet";
    Address runtime_ = 0, first_interpreter_ = 0;
    std::vector<Interpreter> interpreters_;
    std::vector<ThreadState> threads_;  // of this round; copies point into batch_
    ReadBatch batch_;
    int failures_ = 0, unmatched_ = 0;
};

}  // namespace storeprof
