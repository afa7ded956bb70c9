// What /proc says of a process, of its threads, and of the files they wait for.
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <set>
#include <unordered_map>
#include "clock.hpp"
namespace storeprof {
class FileDescriptor {
  public:
    explicit FileDescriptor(int fd = -1) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& o) noexcept : fd_(o.release()) {}
    FileDescriptor& operator=(FileDescriptor&& o) noexcept { return std::swap(fd_, o.fd_), *this; }
    ~FileDescriptor() { if (fd_ >= 0) close(fd_); }
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
  private:
    int fd_;
};
// Reads numbers one after another; at the end of the text it gives zeros.
struct Scanner {
    const char* at;
    uint64_t number(int skipped_words = 0, int base = 10) {  // "-1" wraps around
        for (; skipped_words > 0; skipped_words--) at += strspn(at, " "), at += strcspn(at, " ");
        return strtoull(at, const_cast<char**>(&at), base);
    }
};
inline bool starts_with(const std::string& s, const char* prefix) { return s.compare(0, strlen(prefix), prefix) == 0; }
// The number after `key` in a file of "Key:   number" lines.
inline bool value_after(const std::string& text, const char* key, uint64_t& value) {
    size_t at = text.find(key);
    if (at != std::string::npos) value = strtoull(text.c_str() + at + strlen(key), nullptr, 10);
    return at != std::string::npos;
}
// A thread's number in its own pid namespace: the last one of NSpid.
inline long inner_tid(const std::string& status, long otherwise) {
    size_t line = status.find("NSpid:");
    if (line == std::string::npos) return otherwise;
    return atol(status.c_str() + status.find_last_of(" \t", status.find('\n', line) - 1));
}
// Files of /proc/PID by a descriptor of that folder: they fail with ESRCH once the process is gone, even when its
// number was given to another.
class ProcDirectory {
  public:
    explicit ProcDirectory(pid_t pid) : directory_(open(("/proc/" + std::to_string(pid)).c_str(), O_DIRECTORY | O_CLOEXEC)) {}
    FileDescriptor open_file(const std::string& name, int flags = 0) const {
        return FileDescriptor(openat(directory_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | flags));
    }
    std::string text(const std::string& name) const {
        std::string all;
        FileDescriptor fd = open_file(name);
        char block[16384];
        for (ssize_t n; (n = read(fd.get(), block, sizeof block)) > 0;) all.append(block, n);
        return all;
    }
    std::string link(const std::string& name) const {
        char target[4096];
        ssize_t n = readlinkat(directory_.get(), name.c_str(), target, sizeof target);
        return std::string(target, n > 0 ? n : 0);
    }
    std::vector<long> numbered_entries(const char* folder) const {
        std::vector<long> found;
        DIR* dir = fdopendir(open_file(folder, O_DIRECTORY).release());
        while (dirent* e = dir ? readdir(dir) : nullptr)
            if (e->d_name[0] >= '0' && e->d_name[0] <= '9') found.push_back(atol(e->d_name));
        if (dir) closedir(dir);
        return found;
    }
    long thread_count() const {  // of the link count of task/: one cheap call; -1 when the process is gone
        struct stat s;
        return fstatat(directory_.get(), "task", &s, 0) ? -1 : static_cast<long>(s.st_nlink) - 2;
    }
  private:
    FileDescriptor directory_;
};
// Where the program's code and first stack lie: elsewhere after every exec; zeros while exec is under way, and in a zombie.
struct ImagePlace {
    uint64_t start_code = 0, end_code = 0, start_stack = 0;
    bool operator!=(const ImagePlace& o) const { return memcmp(this, &o, sizeof o); }  // has no padding
};
struct ThreadStat {  // fields as in proc(5)
    char state = '?';
    std::string name;
    uint64_t minflt = 0, majflt = 0, cpu_ticks = 0, threads = 0, start_ticks = 0;
    ImagePlace image;
    bool ended() const { return state == 'Z' || state == 'X'; }
    bool parse(const char* text) {
        const char *open = strchr(text, '('), *close = strrchr(text, ')');  // the name may hold both
        if (!open || !close || !close[1] || !close[2]) return false;
        if (name.compare(0, std::string::npos, open + 1, close - open - 1)) name.assign(open + 1, close);
        state = close[2];
        Scanner s{close + 3};
        minflt = s.number(6), majflt = s.number(1);
        cpu_ticks = s.number(1), cpu_ticks += s.number();
        threads = s.number(4), start_ticks = s.number(1);
        image.start_code = s.number(3), image.end_code = s.number(), image.start_stack = s.number();
        return true;
    }
};
// The three files of a thread that every look reads: kept open, or (with threads by the hundred) opened each time.
class ThreadFiles {
  public:
    enum File { schedstat, stat, syscall };
    enum class Result { ok, gone, unreadable };
    ThreadFiles(const ProcDirectory& proc, long tid, bool keep) : proc_(proc), folder_("task/" + std::to_string(tid) + "/") {
        for (int i = 0; keep && i < 3; i++) kept_[i] = proc_.open_file(folder_ + names[i]);
    }
    template <size_t Size> Result read(File which, char (&to)[Size]) const {
        FileDescriptor opened;
        if (kept_[which].get() < 0) opened = proc_.open_file(folder_ + names[which]);
        ssize_t n = pread(opened.get() < 0 ? kept_[which].get() : opened.get(), to, Size - 1, 0);
        to[n > 0 ? n : 0] = 0;
        if (n > 0) return Result::ok;
        return n == 0 || errno == ESRCH || errno == ENOENT ? Result::gone : Result::unreadable;
    }
    // Into `look`: the system call that a thread off the CPU is in.
    void read_syscall(LookRow& look) const {
        char text[256];
        look.syscall = -2, look.arg0 = look.arg1 = look.arg2 = look.stack_pointer = 0;
        if (look.state == 'R') return;
        if (read(syscall, text) != Result::ok) look.syscall = -3;
        else if (text[0] != 'r') {  // "running"
            Scanner s{text};
            look.syscall = static_cast<int16_t>(s.number());
            if (look.syscall >= 0) look.arg0 = s.number(0, 16), look.arg1 = s.number(0, 16), look.arg2 = s.number(0, 16);
            look.stack_pointer = s.number(look.syscall >= 0 ? 3 : 0, 16);
        }
    }
    std::string status() const { return proc_.text(folder_ + "status"); }
  private:
    static constexpr const char* names[] = {"schedstat", "stat", "syscall"};
    const ProcDirectory& proc_;
    std::string folder_;
    FileDescriptor kept_[3];
};
// What stands behind the first argument of system calls, where it is a descriptor's number; whether the call takes a
// descriptor at all, and what kind of thing it names, is decided by whoever reads the rows.
class ResourceTable {
  public:
    ResourceTable(Tables& out, const ProcDirectory& proc) : out_(out), proc_(proc) {}
    uint32_t of(int syscall, uint64_t descriptor) {
        if (syscall < 0 || descriptor >= 1 << 20) return kNone;
        std::string name = proc_.link("fd/" + std::to_string(descriptor));
        if (name.empty()) return kNone;
        auto [at, added] = numbers_.try_emplace(name, numbers_.size());
        if (added) out_.line(Table::resources, "resource", at->second, "name", name);
        return at->second;
    }
  private:
    Tables& out_;
    const ProcDirectory& proc_;
    std::unordered_map<std::string, uint32_t> numbers_;
};
}  // namespace storeprof
