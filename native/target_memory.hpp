// Reading another process's memory without stopping it (process_vm_readv), and finding symbols in its mapped images.
#pragma once

#include <elf.h>
#include <limits.h>
#include <sys/uio.h>

#include <algorithm>

#include "journal_tables.hpp"

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
    explicit TargetMemory(pid_t pid) : pid_(pid) {}
    bool read(Address from, void* to, size_t size) const {
        iovec local{to, size}, remote{reinterpret_cast<void*>(from), size};
        return process_vm_readv(pid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
    }
    template <class T> bool get(Address from, T& to) const { return read(from, &to, sizeof to); }
    template <class T> T get_or_zero(Address from) const {
        T v{};
        return get(from, v) ? v : T{};
    }
    bool write_u32(Address to, uint32_t value) const {
        iovec local{&value, sizeof value}, remote{reinterpret_cast<void*>(to), sizeof value};
        return process_vm_writev(pid_, &local, 1, &remote, 1, 0) == sizeof value;
    }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_;
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
            iovec local{bytes_.data() + done, size};
            if (process_vm_readv(memory.pid(), &local, 1, &pieces_[first], n, 0) != static_cast<ssize_t>(size)) return false;
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

// Dynamic symbols of an image, looked up through its GNU hash table in the *mapped* image, not in the file: this works
// in another mount namespace and after the file was replaced, and reads a few hundred bytes instead of the whole table.
class MappedImage {
  public:
    MappedImage(const TargetMemory& memory, Address base) : memory_(memory), base_(base) { open(); }
    Address symbol(const std::string& name) const {  // 0 when absent
        uint32_t head[4], hash = 5381;        // buckets, first symbol, bloom words, shift
        for (uint8_t c : name) hash = hash * 33 + c;
        if (!symbols_ || !strings_ || !hash_ || !memory_.get(hash_, head) || !head[0]) return 0;
        Address buckets = hash_ + 16 + 8ull * head[2], chains = buckets + 4ull * head[0];
        uint32_t index = memory_.get_or_zero<uint32_t>(buckets + 4ull * (hash % head[0]));
        for (int step = 0; step < 1000 && index && index >= head[1]; step++, index++) {
            uint32_t link = memory_.get_or_zero<uint32_t>(chains + 4ull * (index - head[1]));
            Address found = (link | 1) == (hash | 1) ? address_if_named(index, name) : 0;
            if (found || (link & 1)) return found;
        }
        return 0;
    }

  private:
    void open() {
        Elf64_Ehdr header;
        if (!memory_.get(base_, header) || memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_phnum > 64) return;
        std::vector<Elf64_Phdr> segments(header.e_phnum);
        if (!memory_.read(base_ + header.e_phoff, segments.data(), segments.size() * sizeof(Elf64_Phdr))) return;
        Address lowest = ~0ull, dynamic = 0, size = 0;
        for (auto& s : segments) {
            if (s.p_type == PT_LOAD) lowest = std::min<Address>(lowest, s.p_vaddr & ~0xfffull);
            if (s.p_type == PT_DYNAMIC) dynamic = s.p_vaddr, size = s.p_memsz;
        }
        bias_ = base_ - lowest;
        std::vector<Elf64_Dyn> entries(size <= 65536 ? size / sizeof(Elf64_Dyn) : 0);
        if (!memory_.read(bias_ + dynamic, entries.data(), entries.size() * sizeof(Elf64_Dyn))) return;
        for (auto& e : entries) {
            Address p = e.d_un.d_ptr < base_ ? e.d_un.d_ptr + bias_ : e.d_un.d_ptr;  // glibc relocates in place, musl does not
            if (e.d_tag == DT_SYMTAB) symbols_ = p;
            if (e.d_tag == DT_STRTAB) strings_ = p;
            if (e.d_tag == DT_GNU_HASH) hash_ = p;
        }
    }
    Address address_if_named(uint32_t index, const std::string& name) const {
        Elf64_Sym s;
        std::string text(name.size() + 1, 0);
        if (!memory_.get(symbols_ + sizeof s * index, s) || !memory_.read(strings_ + s.st_name, text.data(), text.size())) return 0;
        return text == name + '\0' && s.st_shndx != SHN_UNDEF ? bias_ + s.st_value : 0;
    }
    const TargetMemory& memory_;
    Address base_, bias_ = 0, symbols_ = 0, strings_ = 0, hash_ = 0;
};

}  // namespace storeprof
