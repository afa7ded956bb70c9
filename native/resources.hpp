// What a blocked system call waits on: the file, pipe or socket behind its descriptor or address.
#pragma once

#include <sys/syscall.h>

#include <unordered_map>

#include "clock.hpp"
#include "proc_reader.hpp"

namespace storeprof {

// System calls whose first argument is a descriptor. Those with two (copy_file_range, splice, sendfile) are told by it.
inline bool first_argument_is_descriptor(int number) {
    switch (number) {
        case SYS_read: case SYS_write: case SYS_pread64: case SYS_pwrite64: case SYS_readv: case SYS_writev:
        case SYS_preadv: case SYS_pwritev: case SYS_preadv2: case SYS_pwritev2: case SYS_fsync: case SYS_fdatasync:
        case SYS_sync_file_range: case SYS_syncfs: case SYS_fallocate: case SYS_ftruncate: case SYS_fadvise64:
        case SYS_readahead: case SYS_lseek: case SYS_close: case SYS_fstat: case SYS_flock: case SYS_fcntl:
        case SYS_ioctl: case SYS_sendto: case SYS_recvfrom: case SYS_sendmsg: case SYS_recvmsg: case SYS_sendmmsg:
        case SYS_recvmmsg: case SYS_accept: case SYS_accept4: case SYS_connect: case SYS_shutdown: case SYS_sendfile:
        case SYS_splice: case SYS_tee: case SYS_vmsplice: case SYS_copy_file_range: case SYS_epoll_pwait:
        case SYS_epoll_ctl: case SYS_getdents64: case SYS_fchmod: case SYS_fchown: case SYS_io_uring_enter:
#ifdef SYS_epoll_wait
        case SYS_epoll_wait: case SYS_getdents:
#endif
#ifdef SYS_epoll_pwait2
        case SYS_epoll_pwait2:
#endif
            return true;
        default: return false;
    }
}

class ResourceTable {
  public:
    ResourceTable(Tables& out, const ProcDirectory& proc) : out_(out), proc_(proc) {}
    uint32_t of(const Syscall& call, uint64_t now) {
        if (first_argument_is_descriptor(call.number)) return number(proc_.link("fd/" + std::to_string(uint32_t(call.arg0))));
        return call.number == SYS_msync || call.number == SYS_munmap ? of_address(call.arg0, now) : kNone;
    }
    void forget_mappings() { mappings_.clear(), mappings_ns_ = 0; }

  private:
    // The mapped file at an address; mappings are read at most once a second.
    uint32_t of_address(uint64_t address, uint64_t now) {
        auto covers = [&](const Mapping& m) { return m.start <= address && address < m.end; };
        auto found = std::find_if(mappings_.begin(), mappings_.end(), covers);
        if (found == mappings_.end() && now - mappings_ns_ >= kSecond) {
            mappings_ = proc_.mappings(), mappings_ns_ = now;
            found = std::find_if(mappings_.begin(), mappings_.end(), covers);
        }
        return found != mappings_.end() && found->path[0] == '/' ? number(found->path) : kNone;
    }
    uint32_t number(const std::string& name) {
        if (name.empty()) return kNone;
        auto [at, added] = numbers_.try_emplace(name, numbers_.size());
        if (added) out_.line(Table::resources, JsonLine().number("resource", at->second).text("kind", kind(name)).text("name", name));
        return at->second;
    }
    static const char* kind(const std::string& name) {
        if (starts_with(name, "pipe:")) return "pipe";
        if (starts_with(name, "socket:")) return "socket";
        if (name == "anon_inode:[eventfd]") return "eventfd";
        if (name == "anon_inode:[eventpoll]") return "epoll";
        // Terminals and the like are no storage; block devices and shared memory are.
        for (const char* device : {"/dev/pts/", "/dev/tty", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/memfd:"})
            if (starts_with(name, device)) return "other";
        return name[0] == '/' ? "file" : "other";
    }

    Tables& out_;
    const ProcDirectory& proc_;
    std::unordered_map<std::string, uint32_t> numbers_;
    std::vector<Mapping> mappings_;
    uint64_t mappings_ns_ = 0;
};

}  // namespace storeprof
