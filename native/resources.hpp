// What a blocked system call waits on: the file, pipe or socket behind its descriptor.
#pragma once

#include <sys/syscall.h>

#include <set>
#include <unordered_map>

#include "clock.hpp"
#include "proc_reader.hpp"

namespace storeprof {

// System calls whose first argument is a descriptor. Those with two (copy_file_range, splice, sendfile) are told by it.
inline const std::set<int> kDescriptorCalls = {
    SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2,
    SYS_fsync, SYS_fdatasync, SYS_sync_file_range, SYS_syncfs, SYS_fallocate, SYS_ftruncate, SYS_fadvise64, SYS_readahead,
    SYS_lseek, SYS_close, SYS_fstat, SYS_flock, SYS_fcntl, SYS_ioctl, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg,
    SYS_sendmmsg, SYS_recvmmsg, SYS_accept, SYS_accept4, SYS_connect, SYS_shutdown, SYS_sendfile, SYS_splice, SYS_tee,
    SYS_vmsplice, SYS_copy_file_range, SYS_epoll_pwait, SYS_epoll_ctl, SYS_getdents64, SYS_fchmod, SYS_fchown,
    SYS_io_uring_enter, SYS_epoll_pwait2,
#ifdef SYS_epoll_wait
    SYS_epoll_wait, SYS_getdents,
#endif
};

class ResourceTable {
  public:
    ResourceTable(Tables& out, const ProcDirectory& proc) : out_(out), proc_(proc) {}
    uint32_t of(const Syscall& call) {
        bool named = kDescriptorCalls.count(call.number);
        std::string name = named ? proc_.link("fd/" + std::to_string(uint32_t(call.args[0]))) : "";
        if (name.empty()) return kNone;
        auto [at, added] = numbers_.try_emplace(name, numbers_.size());
        if (added) out_.line(Table::resources, "resource", at->second, "kind", kind(name), "name", name);
        return at->second;
    }

  private:
    static const char* kind(const std::string& name) {
        if (starts_with(name, "pipe:")) return "pipe";
        if (starts_with(name, "socket:")) return "socket";
        if (name == "anon_inode:[eventfd]") return "eventfd";
        if (name == "anon_inode:[eventpoll]") return "epoll";
        // Terminals and the like are no storage; block devices and shared memory are.
        for (const char* device : {"/dev/pts/", "/dev/tty", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
                                   "/memfd:"})
            if (starts_with(name, device)) return "other";
        return name[0] == '/' ? "file" : "other";
    }
    Tables& out_;
    const ProcDirectory& proc_;
    std::unordered_map<std::string, uint32_t> numbers_;
};

}  // namespace storeprof
