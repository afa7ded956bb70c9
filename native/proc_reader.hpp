// What /proc says of a process and of its threads.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace storeprof {

class FileDescriptor {
  public:
    explicit FileDescriptor(int fd = -1) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& o) noexcept { return std::swap(fd_, o.fd_), *this; }
    ~FileDescriptor() { if (fd_ >= 0) close(fd_); }
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

// Reads numbers one after another; at the end of the text it gives zeros.
class Scanner {
  public:
    explicit Scanner(const char* text) : at_(text) {}
    uint64_t number(int skipped_words = 0, int base = 10) {  // "-1" wraps around
        for (; skipped_words > 0; skipped_words--) {
            while (*at_ == ' ') at_++;
            while (*at_ && *at_ != ' ') at_++;
        }
        return strtoull(at_, const_cast<char**>(&at_), base);
    }

  private:
    const char* at_;
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

struct Mapping { uint64_t start, end, offset; std::string path; };

// Files of /proc/PID by a descriptor of that folder: they fail with ESRCH once the process is gone, even when its
// number was given to another.
class ProcDirectory {
  public:
    explicit ProcDirectory(pid_t pid)
        : directory_(open(("/proc/" + std::to_string(pid)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
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
    std::vector<Mapping> mappings() const {
        std::vector<Mapping> found;
        const std::string all = text("maps");
        for (size_t at = 0, end; (end = all.find('\n', at)) != std::string::npos; at = end + 1) {
            Mapping m;
            int path = 0;
            std::string line = all.substr(at, end - at);
            if (sscanf(line.c_str(), "%lx-%lx %*s %lx %*s %*s %n", &m.start, &m.end, &m.offset, &path) < 3) continue;
            if (path > 0) m.path = line.substr(path);
            found.push_back(std::move(m));
        }
        return found;
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
};

inline bool parse_stat(const char* text, ThreadStat& to) {
    const char *open = strchr(text, '('), *close = strrchr(text, ')');  // the name may hold both
    if (!open || !close || close < open || !close[1] || !close[2]) return false;
    if (to.name.compare(0, std::string::npos, open + 1, close - open - 1)) to.name.assign(open + 1, close);
    to.state = close[2];
    Scanner s(close + 3);
    to.minflt = s.number(6);
    to.majflt = s.number(1);
    to.cpu_ticks = s.number(1);
    to.cpu_ticks += s.number();
    to.threads = s.number(4);
    to.start_ticks = s.number(1);
    to.image.start_code = s.number(3);
    to.image.end_code = s.number();
    to.image.start_stack = s.number();
    return true;
}

struct Syscall {
    static constexpr int running = -2, unreadable = -3;
    int number = running;  // -1: in the kernel without one, for a page fault
    uint64_t args[3] = {}, stack_pointer = 0;
};

inline Syscall parse_syscall(const char* text) {
    Syscall call;
    if (text[0] == 'r') return call;
    Scanner s(text);
    call.number = static_cast<int>(s.number());
    if (call.number >= 0)
        for (uint64_t& arg : call.args) arg = s.number(0, 16);
    call.stack_pointer = s.number(call.number >= 0 ? 3 : 0, 16);
    return call;
}

// The three files of a thread that every look reads: kept open, or (with threads by the hundred) opened each time.
class ThreadFiles {
  public:
    enum File { schedstat, stat, syscall };
    enum class Result { ok, gone, unreadable };

    ThreadFiles(const ProcDirectory& proc, long tid, bool keep) : proc_(proc), folder_("task/" + std::to_string(tid) + "/") {
        for (int i = 0; keep && i < 3; i++) kept_[i] = proc_.open_file(folder_ + names[i]);
    }
    Result read(File which, char* to, size_t size) const {
        FileDescriptor opened;
        if (kept_[which].get() < 0) opened = proc_.open_file(folder_ + names[which]);
        ssize_t n = pread(opened.get() < 0 ? kept_[which].get() : opened.get(), to, size - 1, 0);
        to[n > 0 ? n : 0] = 0;
        if (n > 0) return Result::ok;
        return n == 0 || errno == ESRCH || errno == ENOENT ? Result::gone : Result::unreadable;
    }
    std::string status() const { return proc_.text(folder_ + "status"); }

  private:
    static constexpr const char* names[] = {"schedstat", "stat", "syscall"};
    const ProcDirectory& proc_;
    std::string folder_;
    FileDescriptor kept_[3];
};

}  // namespace storeprof
