// Reading another process's memory without stopping it (process_vm_readv).
#pragma once
#include <limits.h>
#include <sys/uio.h>
#include "proc_reader.hpp"
namespace storeprof {
using Address = uint64_t;
// User addresses lie below 2^47 (x86-64) or 2^48 (aarch64), and objects are at least 8-aligned.
inline bool plausible(Address p) { return p > 0xffff && p < (1ull << 48) && !(p & 7); }
template <class T> T field(const uint8_t* object, uint64_t offset) {
    T v;
    memcpy(&v, object + offset, sizeof v);
    return v;
}
class TargetMemory {
  public:
    explicit TargetMemory(pid_t pid) : pid_(pid), file_("/proc/" + std::to_string(pid) + "/mem") {}
    bool read(Address from, void* to, size_t size) const {
        iovec piece{reinterpret_cast<void*>(from), size};
        return read_pieces(&piece, 1, static_cast<uint8_t*>(to), size);
    }
    // Where a seccomp filter forbids process_vm_readv, /proc/PID/mem gives the same, one piece after another.
    bool read_pieces(const iovec* pieces, size_t count, uint8_t* to, size_t size) const {
        iovec local{to, size};
        ssize_t n = process_vm_readv(pid_, &local, 1, pieces, count, 0);
        if (n >= 0 || (errno != EPERM && errno != ENOSYS)) return n == static_cast<ssize_t>(size);
        FileDescriptor file(open(file_.c_str(), O_RDONLY | O_CLOEXEC));
        for (auto* p = pieces; p < pieces + count; to += (p++)->iov_len) {
            auto at = static_cast<off_t>(reinterpret_cast<Address>(p->iov_base));
            if (pread(file.get(), to, p->iov_len, at) != static_cast<ssize_t>(p->iov_len)) return false;
        }
        return true;
    }
    template <class T> bool get(Address from, T& to) const { return read(from, &to, sizeof to); }
    template <class T> T get_or_zero(Address from) const {
        T v{};
        return get(from, v) ? v : T{};
    }
    pid_t pid() const { return pid_; }
  private:
    const pid_t pid_;
    const std::string file_;
};
// Many pieces in one system call: they are copied in order within a few hundred nanoseconds, which is what makes
// "copy twice and compare" meaningful. A batch of more than IOV_MAX pieces takes several calls.
class ReadBatch {
  public:
    void clear() { pieces_.clear(), size_ = 0; }
    size_t add(Address from, size_t size) {  // where it will be, for at() and get()
        pieces_.push_back({reinterpret_cast<void*>(from), size});
        return (size_ += size) - size;
    }
    bool run(const TargetMemory& memory) {
        if (bytes_.size() < size_) bytes_.resize(size_ * 2);
        size_t done = 0;
        for (size_t first = 0; first < pieces_.size(); first += IOV_MAX) {
            size_t n = std::min<size_t>(IOV_MAX, pieces_.size() - first), size = 0;
            for (size_t i = first; i < first + n; i++) size += pieces_[i].iov_len;
            if (!memory.read_pieces(&pieces_[first], n, bytes_.data() + done, size)) return false;
            done += size;
        }
        return true;
    }
    const uint8_t* at(size_t offset) const { return bytes_.data() + offset; }
    template <class T> T get(size_t offset) const { return field<T>(bytes_.data(), offset); }
  private:
    std::vector<iovec> pieces_;
    std::vector<uint8_t> bytes_;
    size_t size_ = 0;
};
}  // namespace storeprof
