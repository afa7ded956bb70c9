// Samples the allocations of the program it is preloaded into (docs/formats/allocations.md).
// Hot path: a thread-local countdown and, on free, one byte of a filter. No Python code is run, nothing is linked but libc
// and libm; whatever is missing (listener, Python, room) means fewer samples, never a program that fails.
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#define RARE(condition) __builtin_expect(!!(condition), 0)
#define EXPORTED extern "C" __attribute__((visibility("default")))
#define PYTHON_API(X) \
    X(int, Py_IsInitialized, ()) X(void*, PyGILState_GetThisThreadState, ()) X(void*, PyThreadState_GetFrame, (void*)) \
    X(void*, PyFrame_GetBack, (void*)) X(void*, PyFrame_GetCode, (void*)) X(int, PyFrame_GetLineNumber, (void*)) \
    X(void, PyErr_Fetch, (void**, void**, void**)) X(void, PyErr_Restore, (void*, void*, void*)) X(void, Py_DecRef, (void*)) \
    X(void*, PyObject_GetAttrString, (void*, const char*)) X(const char*, PyUnicode_AsUTF8, (void*)) X(long, PyLong_AsLong, (void*)) \
    X(void, PyMem_GetAllocator, (int, PyAllocator*)) X(void, PyMem_SetAllocator, (int, PyAllocator*))
namespace {
constexpr uint64_t MAGIC = 0x01434f4c4c415053, UNITS = 8192, LEAST_MEAN = 65536;
constexpr uint32_t BUCKETS = 2048, WAYS = 8, FILTER = 8192, TOLD = 4096, DEEPEST = 32, OURS = 3, MOST_UNITS = 150;
constexpr int64_t NEVER = INT64_MAX, UNTIL_STARTED = 1 << 20;
enum Kind : uint32_t { SAMPLE = 1, FREED, STACK, TEXT };
struct Unit { uint32_t kind, id; uint64_t word[7]; };
struct Region {
    uint64_t magic; uint32_t pid, behind_launcher; uint64_t mean, lost; uint32_t hooked, python;
    alignas(64) uint64_t head;
    alignas(64) uint64_t tail;
    alignas(4096) Unit ring[UNITS];
};
struct PyAllocator {
    void* ctx; void* (*malloc)(void*, size_t); void* (*calloc)(void*, size_t, size_t);
    void* (*realloc)(void*, void*, size_t); void (*free)(void*, void*);
};
#define DECLARE(result, name, arguments) result (*name) arguments;
struct { PYTHON_API(DECLARE) } py;
// Until the first call these find the real ones: the hot path asks nothing.
#define REAL_API(X) X(void*, malloc, (size_t n), (n)) X(void*, calloc, (size_t k, size_t n), (k, n)) X(void, free, (void* p), (p)) \
    X(void*, realloc, (void* p, size_t n), (p, n))
#define DECLARE_FIRST(result, name, parameters, arguments) result first_##name parameters;
#define DECLARE_REAL(result, name, parameters, arguments) result (*name) parameters = first_##name;
#define DEFINE_FIRST(result, name, parameters, arguments) \
    result first_##name parameters { return resolve() ? real.name arguments : (result)0; }
REAL_API(DECLARE_FIRST)
struct { REAL_API(DECLARE_REAL) } real;
void* (*py_current)();
int (*py_gc_off)(), (*py_gc_on)();
const char* py_name;
PyAllocator py_was[2];
Region* region;  // null: nobody listens
bool started;
const char* in_program;  // a page that a fork wipes: the child shares the region, and is not the program under study
__thread struct { int64_t left; double mean; uint64_t random; uint32_t tid; } mine __attribute__((tls_model("initial-exec")));
uintptr_t sampled[BUCKETS][WAYS] __attribute__((aligned(64)));  // a bucket is a cache line
uint8_t filter[FILTER];                                         // how many sampled pointers have this hash
uint64_t told[TOLD], window_began, began;
uint32_t window_samples;
uint32_t hash_of(const void* p) { return (reinterpret_cast<uintptr_t>(p) >> 4) * 0x9E3779B97F4A7C15 >> 51; }
uint64_t mixed(uint64_t hash, uint64_t with) { return (hash ^ with) * 0x9E3779B97F4A7C15 >> 1 ^ hash << 7; }
uint32_t thread() { return mine.tid ? mine.tid : mine.tid = static_cast<uint32_t>(syscall(SYS_gettid)); }
uint64_t now() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000ull + t.tv_nsec; }
template <class F> bool find(F& into, const char* name, void* from = RTLD_DEFAULT) { return (into = reinterpret_cast<F>(dlsym(from, name))); }
bool resolve() {  // what dlsym itself asks for meanwhile is refused, which it bears
    static bool under_way;
    if (__atomic_exchange_n(&under_way, true, __ATOMIC_ACQ_REL)) return false;
#define FIND_REAL(result, name, parameters, arguments) find(real.name, #name, RTLD_NEXT);
    REAL_API(FIND_REAL)
    return real.malloc;
}
REAL_API(DEFINE_FIRST)
// Reserves units in a row; all but the first are complete when the first one's kind is stored.
void publish(const Unit* units, uint64_t count) {
    uint64_t head = __atomic_load_n(&region->head, __ATOMIC_RELAXED);
    do if (head + count - __atomic_load_n(&region->tail, __ATOMIC_ACQUIRE) > UNITS) {
        __atomic_add_fetch(&region->lost, 1, __ATOMIC_RELAXED);
        return;
    } while (!__atomic_compare_exchange_n(&region->head, &head, head + count, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    for (uint64_t i = count; i-- > 0;) {
        Unit& to = region->ring[(head + i) % UNITS];
        to.id = units[i].id, memcpy(to.word, units[i].word, sizeof to.word);
        __atomic_store_n(&to.kind, units[i].kind, __ATOMIC_RELEASE);
    }
}
bool listening() { return region && *in_program; }
void draw() {  // an exponential interval: xorshift64 through the inverse of the distribution
    if (!mine.random) mine.random = now() ^ thread() * 0x9E3779B97F4A7C15;
    mine.random ^= mine.random << 13, mine.random ^= mine.random >> 7, mine.random ^= mine.random << 17;
    mine.mean = static_cast<double>(region->mean);
    mine.left = static_cast<int64_t>(-log((static_cast<double>(mine.random >> 11) + 0.5) / 9007199254740992.0) * mine.mean);
}
void adapt(uint64_t t) {  // races lose a count, no more
    uint32_t most = t - began < 30000000000ull ? 64 : 8;
    bool many = ++window_samples >= most, early = t - window_began < 100000000;
    if (early && !many) return;
    if (early) region->mean *= 2;
    else if (window_samples * 3 < most && region->mean > LEAST_MEAN) region->mean /= 2;
    window_began = t, window_samples = 0;
}
void python_stack(void* state, char* text, size_t room) {
    void *raised[3], *next;
    py.PyErr_Fetch(&raised[0], &raised[1], &raised[2]);
    int collects = py_gc_off ? py_gc_off() : 0;  // frame objects are made on demand
    uint32_t depth = 0;
    for (void* frame = py.PyThreadState_GetFrame(state); frame; frame = next) {
        next = ++depth < DEEPEST ? py.PyFrame_GetBack(frame) : nullptr;
        void* code = py.PyFrame_GetCode(frame);
        int line = py.PyFrame_GetLineNumber(frame);
        void* of[] = {py.PyObject_GetAttrString(code, py_name), py.PyObject_GetAttrString(code, "co_filename"),
                      py.PyObject_GetAttrString(code, "co_firstlineno")};
        const char *name = of[0] ? py.PyUnicode_AsUTF8(of[0]) : nullptr, *file = of[1] ? py.PyUnicode_AsUTF8(of[1]) : nullptr;
        int wrote = snprintf(text, room, "%s\t%s\t%d\t%ld\n", name ? name : "?", file ? file : "?", line, of[2] ? py.PyLong_AsLong(of[2]) : 0);
        if (static_cast<size_t>(wrote) < room) text += wrote, room -= wrote;
        else *text = 0, room = 0;
        for (void* one : of) if (one) py.Py_DecRef(one);
        py.Py_DecRef(frame), py.Py_DecRef(code);
    }
    if (collects) py_gc_on();
    py.PyErr_Restore(raised[0], raised[1], raised[2]);  // and drops what a name that is no UTF-8 raised
}
void native_stack(char* text) {  // an address takes 20 bytes at most
    void* at[DEEPEST];
    for (int i = OURS, depth = backtrace(at, DEEPEST); i < depth; i++) text += sprintf(text, "%p\n", at[i]);
}
__attribute__((noinline)) uint64_t stack_of_now() {
    void* state = py_name && py.Py_IsInitialized() ? py.PyGILState_GetThisThreadState() : nullptr;
    char text[48 + (MOST_UNITS - 1) * 56] = "";
    state && py_current() == state ? python_stack(state, text, sizeof text) : native_stack(text);  // who holds the GIL
    uint64_t hash = 1, count = 1, length = strlen(text);
    for (char* c = text; *c; c++) hash = mixed(hash, static_cast<uint8_t>(*c));
    if (__atomic_exchange_n(&told[hash % TOLD], hash, __ATOMIC_RELAXED) == hash) return hash;
    Unit units[MOST_UNITS] = {{STACK, region->pid, {hash}}};
    memcpy(&units[0].word[1], text, 48);
    for (uint64_t from = 48; from < length; from += 56, count++) {
        units[count].kind = TEXT, units[count].id = region->pid;
        memcpy(units[count].word, text + from, 56);
    }
    publish(units, count);
    return hash;
}
bool keep(void* p) {
    for (uint32_t hash = hash_of(p), way = 0; way < WAYS; way++) {
        uintptr_t none = 0;
        if (!__atomic_compare_exchange_n(&sampled[hash % BUCKETS][way], &none, reinterpret_cast<uintptr_t>(p), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
        return __atomic_add_fetch(&filter[hash], 1, __ATOMIC_RELAXED);
    }
    __atomic_add_fetch(&region->lost, 1, __ATOMIC_RELAXED);
    return false;
}
__attribute__((noinline)) void sample(void* p, size_t n) {
    if (!started) { mine.left = UNTIL_STARTED; return; }
    int kept_errno = errno;
    double mean = mine.mean;
    mine.left = NEVER;  // for good when nobody listens; and what is asked for in here is not counted
    if (!listening()) return;
    draw();
    if (!mean && (mine.left -= n) >= 0) return;  // a thread's first: its interval begins here
    int64_t left = mine.left;
    mine.left = NEVER;
    if (!mean) mean = mine.mean;
    if (keep(p)) {
        uint64_t t = now(), weight = static_cast<uint64_t>(n / -expm1(-static_cast<double>(n) / mean)), stack = stack_of_now();
        Unit unit = {SAMPLE, thread(), {t, reinterpret_cast<uintptr_t>(p), n, weight, stack, static_cast<uint64_t>(mean), region->pid}};
        publish(&unit, 1);
        adapt(t);
    }
    mine.left = left < 0 ? 0 : left;
    errno = kept_errno;
}
__attribute__((noinline)) void forget(void* p) {
    for (uint32_t hash = hash_of(p), way = 0; way < WAYS; way++) {
        uintptr_t* at = &sampled[hash % BUCKETS][way];
        if (__atomic_load_n(at, __ATOMIC_RELAXED) != reinterpret_cast<uintptr_t>(p)) continue;
        __atomic_store_n(at, 0, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&filter[hash], 1, __ATOMIC_RELAXED);
        int kept_errno = errno;
        Unit unit = {FREED, thread(), {now(), reinterpret_cast<uintptr_t>(p)}};
        if (listening()) publish(&unit, 1);
        errno = kept_errno;
        return;
    }
}
// Counts first, so that the common case is a subtraction and a jump to the real allocator.
// An allocator's own calls are never counted: a sample within CPython's would enter it while it makes room.
template <class Call> inline void* alone(Call call) { int64_t left = mine.left; mine.left = NEVER; void* p = call(); mine.left = left; return p; }
template <class Call> __attribute__((noinline, cold)) void* counted_out(size_t n, Call call) {
    void* p = alone(call);
    if (p) sample(p, n);
    return p;
}
template <class Call> inline void* counted(size_t n, Call call) {
    return RARE((mine.left -= n) < 0) ? counted_out(n, call) : call();
}
inline void released(void* p) { if (RARE(__atomic_load_n(&filter[hash_of(p)], __ATOMIC_RELAXED))) forget(p); }
// CPython's allocator of small objects; it hands larger ones to malloc, where they are counted.
constexpr size_t SMALL = 512;
PyAllocator* was(void* ctx) { return static_cast<PyAllocator*>(ctx); }
template <class Call> inline void* small(size_t n, Call call) { return n > SMALL ? call() : counted(n, [=] { return alone(call); }); }
void* py_malloc(void* c, size_t n) { return small(n, [=] { return was(c)->malloc(was(c)->ctx, n); }); }
void* py_calloc(void* c, size_t k, size_t n) { return small(k * n, [=] { return was(c)->calloc(was(c)->ctx, k, n); }); }
void* py_realloc(void* c, void* p, size_t n) { released(p); return small(n, [=] { return was(c)->realloc(was(c)->ctx, p, n); }); }
void py_free(void* c, void* p) { released(p); was(c)->free(was(c)->ctx, p); }
bool watch_python() {
    bool all = find(py_current, "_PyThreadState_UncheckedGet") || find(py_current, "PyThreadState_GetUnchecked");
#define FIND(result, name, arguments) all &= find(py.name, #name);
    PYTHON_API(FIND)
    if (!all) return false;  // no CPython, or one before 3.9: its large objects are seen, by native stacks
    find(py_gc_off, "PyGC_Disable"), find(py_gc_on, "PyGC_Enable");
    py_name = dlsym(RTLD_DEFAULT, "PyFrame_GetLasti") ? "co_qualname" : "co_name";  // both came with 3.11
    for (int domain = 1; domain <= 2; domain++) {  // PYMEM_DOMAIN_MEM and OBJ; RAW is malloc itself
        py.PyMem_GetAllocator(domain, &py_was[domain - 1]);
        PyAllocator ours = {&py_was[domain - 1], py_malloc, py_calloc, py_realloc, py_free};
        py.PyMem_SetAllocator(domain, &ours);
    }
    return true;
}
// Children see the environment they would have seen; a launcher has yet to exec the program, which keeps its pid.
void restore_environment() {
    const char *list = getenv("LD_PRELOAD"), *rest = list ? strchr(list, ':') : nullptr;
    rest ? setenv("LD_PRELOAD", rest + 1, 1) : unsetenv("LD_PRELOAD");
    unsetenv("STOREPROF_ALLOCATIONS");
}
__attribute__((constructor)) void start() {
    const char* path = getenv("STOREPROF_ALLOCATIONS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void* at = fd < 0 ? MAP_FAILED : mmap(nullptr, sizeof(Region), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (fd >= 0) close(fd);
    auto* page = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    auto* found = at == MAP_FAILED ? nullptr : static_cast<Region*>(at);
    if (found && (found->magic != MAGIC || found->pid != static_cast<uint32_t>(getpid()))) found = nullptr;
    if (found && page != MAP_FAILED && !madvise(page, 4096, MADV_WIPEONFORK)) {
        in_program = page, *page = 1, region = found;
        backtrace(&at, 1);  // loads the unwinder now, not within somebody's malloc
        began = window_began = now();
        region->hooked = 1, region->python = watch_python();
        if (region->python || !region->behind_launcher) restore_environment();
    }
    started = true;
}
}  // namespace
EXPORTED void* malloc(size_t n) { return counted(n, [=] { return real.malloc(n); }); }
EXPORTED void* calloc(size_t k, size_t n) { return counted(k * n, [=] { return real.calloc(k, n); }); }
EXPORTED void free(void* p) { released(p); real.free(p); }
EXPORTED void* realloc(void* p, size_t n) { released(p); return counted(n, [=] { return real.realloc(p, n); }); }
