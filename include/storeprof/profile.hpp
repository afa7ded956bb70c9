// storeprof's probe: scopes, operations and memory tags of this process, written into shared memory that an
// observer reads from outside (docs/formats/shared-memory.md, version 3).
//     #include <storeprof/profile.hpp>
//     void insert(Key k) { PROFILE_FUNCTION(); PROFILE_SCOPE("wal"); PROFILE_MEMORY_ALLOC("Key", 64); }
//
// Names are string literals. Without STOREPROF_ENABLE (or ENABLE_PROFILING) nothing remains of the macros.
// All shared objects of a process share one recorder (one exported symbol; link an executable that dlopens others with
// -rdynamic). Not for signal handlers: slow paths take a mutex. Longer than a module should be: it must be ONE header.
#pragma once
#if (defined(STOREPROF_ENABLE) || defined(ENABLE_PROFILING)) && defined(__linux__)
#define STOREPROF_COMPILED_IN
#endif
#if defined(STOREPROF_COMPILED_IN) || defined(STOREPROF_LAYOUT_ONLY)  // the observer wants the records alone
#include <cstddef>
#include <cstdint>
#include <string_view>
namespace storeprof {
inline namespace v1 {
// ---- The records of docs/formats/shared-memory.md ----
constexpr uint64_t kLine = 64, kChunk = 256 << 10, kReserve = 512ull << 20;
constexpr uint32_t kRing = 1024, kSlices = 256, kBuckets = 720, kDriver = 1, kDeclared = 2;

struct Header {
  char magic[8];
  uint32_t version, header_bytes;
  unsigned char uuid[16];
  uint32_t pid, clock;
  uint64_t unused, gate_address, used_bytes, reserve_bytes;
  uint32_t first_thread, first_name;
  uint64_t dropped_scopes, anchor_ticks, anchor_monotonic_ns, anchor_realtime_ns, floor_ticks_x1000;
  uint64_t counted_ticks_x1000, tag_ticks_x1000, python_ns_x1000[3];  // by Python: a function, a block, a tag's call
  unsigned char reserved[3936];
};
struct NameRecord {
  uint32_t next, name_id;
  uint16_t name_length, file_length;
  uint32_t line;
  const char* text() const { return reinterpret_cast<const char*>(this + 1); }
  std::string_view name() const { return {text(), name_length}; }
  std::string_view file() const { return {text() + name_length, file_length}; }
};
struct RingEntry { uint32_t op_seq, node_line; uint64_t start_ticks, duration_ticks; };
struct Slice { uint32_t operations, counted_only; uint64_t cpu_ns; };  // operations in a row, timed or only counted; CPU time
struct Block {
  uint32_t next, tid;
  uint64_t taken_ticks;
  uint32_t generation, reserved0;
  uint64_t position, ops_finished;
  uint32_t first_node, first_tag;
  uint64_t slices, last_timed, reserved1[8];  // last_timed: node << 32 | bucket, not in its histogram yet
  RingEntry ring[kRing];
  Slice slice_ring[kSlices];
  unsigned char reserved2[448];
};
struct Node {
  uint32_t parent, name_id, next, flags;
  uint64_t count, total_ticks, self_ticks, min_ticks, max_ticks;
  double sum_squares;
  uint32_t histogram[kBuckets];
};
struct TagRecord {
  uint32_t next, name_id;
  uint64_t allocations, allocated_bytes, frees, freed_bytes;
  int64_t peak_live_bytes;
  uint32_t node, next_here;  // node: 0, all of the tag in this block; else below this scope (1: outside any), in part
  uint64_t reserved;
};
static_assert(sizeof(Header) == 4096 && sizeof(NameRecord) == 16 && sizeof(Block) == 29248 &&
              sizeof(Node) == 2944 && sizeof(TagRecord) == 64 && offsetof(Block, ring) == 128);
}  // namespace v1
}  // namespace storeprof
#endif
#if defined(STOREPROF_COMPILED_IN)
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define STOREPROF_LIKELY(x) __builtin_expect(static_cast<bool>(x), 1)
#define STOREPROF_UNLIKELY(x) __builtin_expect(static_cast<bool>(x), 0)
#define STOREPROF_EXPORT __attribute__((visibility("default")))
#define STOREPROF_COLD __attribute__((noinline, cold))
namespace storeprof {
inline namespace v1 {
// ---- What only this process sees ----
constexpr uint32_t kNoName = 0xffffffff, kMaxNodeDepth = 256, kMaxFrames = 1 << 16, kCache = 8, kTags = 256, kMany = 1024;

struct Site {  // one per call site, static; numbers are 0 until the name is interned
  const char *name, *file;
  uint32_t line;
  bool operation;
  uint32_t id = 0, slot = 0;  // slot: of a memory tag in Thread::tags
};
struct TreeNode {  // a node's private side: how its children are found
  Node* shared;    // null for the root and for what was dropped
  uint32_t line, name_id, flags, depth, tags;  // tags: the first record of those counted here
  TreeNode *first_child, *sibling;
  TreeNode* cache[kCache];  // children by name_id % kCache; never null, so that a miss is one comparison
};
constexpr uint32_t kOperation = 1, kSaidOutright = 2, kRecursive = 4, kUntimed = 8, kAwaits = 16;
struct Frame {  // an open scope
  TreeNode* node;
  uint64_t start, children, position;  // children: ticks spent in the scopes inside
  uint32_t name_id, flags;
  uint64_t suspended;  // ticks; what lies above begins with the value below it, so that differences count
};
struct Thread {  // a thread block's private side; handed on with the block
  Frame *top, *end, *frames;  // frames[0] stands for "outside any scope"
  Block* block;
  uint32_t *last_bucket, no_bucket;  // of the call that was timed last
  uint32_t op_seq, slice_size, slice_left, skip;  // operations: to the end of the slice, to the next that is timed
  double gap;  // how many are skipped on average; 0: none
  uint64_t calls, slice_calls, slice_cpu_ns, random;
  Thread* next_free;
  TreeNode root, dropped;
  TagRecord *tags[kTags], no_tag;  // by slot; no_tag, which counts nothing, for tags that are seldom used so far
};
struct Name { Name* next_in_bucket; uint32_t line; };
struct Registry {  // constant-initialized, so that a scope in another static initializer finds it whole
  uint32_t off[3] = {};  // where gate points while there is no recorder
  // [0] is the gate, [1] is 1 while the mapping is our own, [2] the budget: fork wipes all three.
  uint32_t* gate = off;
  Header* header = nullptr;
  bool tsc = false;
  uint64_t driver_ticks = 500000000;  // one second; a low guess until it is first needed
  void (*over_budget)() = nullptr;    // called where counting alone costs more than the budget
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // guards what follows, and the shared memory's growth
  Thread* free_threads = nullptr;
  bool full = false;  // no room for anything new, for good
  pthread_key_t key = 0;
  int fd = -1;
  struct stat file = {};  // what fd was when it was made
  uint64_t allocated = 0, reserve = kReserve;
  uint32_t gate_before_fork = 0, budget_before_fork = 0, name_count = 0;
  Name* names[1024] = {};
  uint32_t tags[kTags] = {};  // the name that has a slot; [0] and [kTags - 1] are nobody's
  char *arena = nullptr, *arena_end = nullptr;
};
STOREPROF_EXPORT inline Registry registry;
// One pointer only: static TLS is scarce in a library that is loaded late.
STOREPROF_EXPORT inline thread_local Thread* current __attribute__((tls_model("initial-exec"))) = nullptr;

template <typename T> inline T load(const T& from) { return __atomic_load_n(&from, __ATOMIC_RELAXED); }
template <typename T> inline void store(T& to, T value) { __atomic_store(&to, &value, __ATOMIC_RELAXED); }
template <typename T> inline void publish(T& to, T value) { __atomic_store(&to, &value, __ATOMIC_RELEASE); }
// Single writer: a load and a store, never a locked instruction.
template <typename T> inline T add(T& to, T value) { return store(to, value = static_cast<T>(to + value)), value; }

struct Lock {  // of every slow path, which therefore also leaves errno as the program had it
  const int saved_errno = errno;
  Lock() { pthread_mutex_lock(&registry.mutex); }
  ~Lock() { pthread_mutex_unlock(&registry.mutex), errno = saved_errno; }
};
inline uint64_t clock_ns(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}
inline uint64_t now() {
#if defined(__x86_64__)
  if (STOREPROF_LIKELY(registry.tsc)) return __builtin_ia32_rdtsc();
#endif
  return clock_ns(CLOCK_MONOTONIC);
}
inline bool is_on() { return STOREPROF_UNLIKELY(load(*load(registry.gate))); }
inline uint32_t bucket_of(uint64_t v) {
  if (v < 16) return static_cast<uint32_t>(v);
  const uint32_t m = 63u - static_cast<uint32_t>(__builtin_clzll(v));
  const uint32_t b = (m - 3) * 16 + static_cast<uint32_t>((v >> (m - 4)) & 15);
  return b < kBuckets ? b : kBuckets - 1;
}
inline void drop() {  // several threads may write: approximate, as the page says
  if (registry.header) store(registry.header->dropped_scopes, load(registry.header->dropped_scopes) + 1);
}
// ---- Memory: shared lines, and a private arena (no malloc: probes may stand inside an allocator) ----
// The number may have become a file of the program's own: daemons close everything.
inline bool is_our_file() {
  struct stat s;
  return fstat(registry.fd, &s) == 0 && s.st_dev == registry.file.st_dev && s.st_ino == registry.file.st_ino;
}
inline bool grow(uint64_t size) {  // mutex held
  rlimit limit;  // growing past it would be a deadly SIGXFSZ
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || size > limit.rlim_cur) return false;
  if (size > registry.reserve || !is_our_file()) return false;
  const auto from = static_cast<off_t>(registry.allocated), length = static_cast<off_t>(size) - from;
  while (fallocate(registry.fd, 0, from, length) != 0) if (errno != EINTR) return false;
  return registry.allocated = size, true;
}
inline uint32_t new_lines(uint64_t bytes) {  // mutex held; 0 when there is no room
  Header* h = registry.header;
  if (!h || registry.full) return 0;
  const uint64_t at = h->used_bytes, used = at + (bytes + kLine - 1) / kLine * kLine;
  if (used > registry.allocated && !grow((used + kChunk - 1) / kChunk * kChunk)) return store(registry.full, true), 0;
  return store(h->used_bytes, used), static_cast<uint32_t>(at / kLine);
}
template <typename T> inline T* at_line(uint32_t line) {
  return reinterpret_cast<T*>(reinterpret_cast<char*>(registry.header) + line * kLine);
}
inline void* pages(size_t bytes) {  // zeroed; null when there are none
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}
template <typename T> inline T* private_memory(size_t count = 1) {  // mutex held; zeroed; null: no room
  const size_t bytes = (count * sizeof(T) + 63) / 64 * 64, size = bytes > kChunk ? bytes : kChunk;
  if (registry.full) return nullptr;
  if (static_cast<size_t>(registry.arena_end - registry.arena) < bytes) {
    auto* p = static_cast<char*>(pages(size));
    if (store(registry.full, p == nullptr), !p) return nullptr;
    registry.arena = p, registry.arena_end = p + size;
  }
  registry.arena += bytes;
  return reinterpret_cast<T*>(registry.arena - bytes);
}
// ---- Names ----
inline uint32_t write_name(uint32_t id, std::string_view name, std::string_view file, uint32_t source_line) {
  const uint32_t line = new_lines(sizeof(NameRecord) + name.size() + file.size());  // mutex held; 0: no room
  if (line == 0) return 0;
  *at_line<NameRecord>(line) = {registry.header->first_name, id, static_cast<uint16_t>(name.size()),
                                static_cast<uint16_t>(file.size()), source_line};
  char* text = at_line<char>(line) + sizeof(NameRecord);
  file.copy(text + name.copy(text, name.size()), file.size());
  return publish(registry.header->first_name, line), line;
}
inline uint32_t intern(std::string_view name, std::string_view file, uint32_t line) {  // 0: no room
  const Lock lock;
  if (!registry.header) return 0;
  name = name.substr(0, 4096), file = file.substr(0, 4096);  // lengths have 16 bits
  Name*& bucket = registry.names[(std::hash<std::string_view>()(name) + line) % 1024];
  for (const Name* n = bucket; n; n = n->next_in_bucket) {
    const auto* known = at_line<NameRecord>(n->line);
    if (known->line == line && known->name() == name && known->file() == file) return known->name_id;
  }
  auto* n = private_memory<Name>();
  if (!n || (n->line = write_name(registry.name_count + 1, name, file, line)) == 0) return 0;
  return n->next_in_bucket = bucket, bucket = n, ++registry.name_count;
}
inline uint32_t number_of(Site& site) {  // 0: no room
  if (STOREPROF_UNLIKELY(load(site.id) == 0) && site.name) store(site.id, intern(site.name, site.file, site.line));
  return load(site.id);
}
// ---- The tree and the stack of open scopes ----
inline void init_node(TreeNode& node, TreeNode* miss, uint32_t name_id, uint32_t depth) {
  node.name_id = name_id, node.depth = depth;
  for (TreeNode*& entry : node.cache) entry = miss;
}
inline TreeNode* add_child(Thread* t, TreeNode* parent, uint32_t id) {
  if (parent->depth >= kMaxNodeDepth || load(registry.full)) return &t->dropped;
  const Lock lock;
  auto* child = private_memory<TreeNode>();
  const uint32_t line = child ? new_lines(sizeof(Node)) : 0;
  if (line == 0) return &t->dropped;
  Node* node = child->shared = at_line<Node>(line);
  node->parent = parent->line, node->name_id = id, node->next = t->block->first_node;
  node->min_ticks = ~0ull;
  publish(t->block->first_node, line);
  init_node(*child, &t->dropped, id, parent->depth + 1);
  child->line = line, child->sibling = parent->first_child;
  return parent->first_child = child;
}
inline TreeNode* find_child(Thread* t, TreeNode* parent, uint32_t id) {
  if (id == 0) return &t->dropped;
  if (id == parent->name_id) return parent;  // a function that calls itself directly
  TreeNode* child = parent->first_child;
  while (child && child->name_id != id) child = child->sibling;
  if (!child) child = add_child(t, parent, id);
  if (child->shared) parent->cache[id % kCache] = child;
  return child;
}
STOREPROF_COLD inline bool grow_frames(Thread* t) {
  const auto used = static_cast<size_t>(t->end - t->frames);
  const Lock lock;
  auto* frames = used < kMaxFrames ? private_memory<Frame>(2 * used) : nullptr;
  if (!frames) return false;
  memcpy(frames, t->frames, used * sizeof(Frame));
  t->top = frames + (t->top - t->frames);
  t->frames = frames, t->end = frames + 2 * used;
  return true;
}
inline bool has_room(Thread* t) { return STOREPROF_LIKELY(t->top + 1 != t->end) || grow_frames(t); }
inline uint32_t push(Thread* t, const Frame& frame) {  // the frame's index
  *++t->top = frame;
  return static_cast<uint32_t>(t->top - t->frames);
}
// What is not counted takes a frame all the same: exits stay matched, and what is inside isn't its parent's.
inline uint32_t push_uncounted(Thread* t, uint32_t id) {
  return push(t, {&t->dropped, 0, 0, t->top->position, id, t->top->flags & kUntimed, t->top->suspended});
}
// ---- Operations ----
inline uint32_t next_operation(Thread* t) {
  if (STOREPROF_UNLIKELY(++t->op_seq == 0)) ++t->op_seq;
  return t->op_seq;
}
inline void raise_flag(TreeNode* node, uint32_t flag) {
  if (node->shared) store(node->shared->flags, node->flags |= flag);
}
inline void make_driver(Frame* f) {
  raise_flag(f->node, kDriver);
  f->position &= ~0xffffffffull;
  f->flags &= ~kOperation;
}
// `top` began an operation and looks open for over a second; the guess of a second is made exact here.
inline double ticks_per_ns() {
  const Header* h = registry.header;
  const uint64_t ns = clock_ns(CLOCK_MONOTONIC) - h->anchor_monotonic_ns;
  return static_cast<double>(now() - h->anchor_ticks) / static_cast<double>(ns | 1);
}
STOREPROF_COLD inline bool became_driver(Frame* top, uint64_t at) {
  store(registry.driver_ticks, static_cast<uint64_t>(1e9 * ticks_per_ns()));
  if (at - top->start - (top->suspended - top[-1].suspended) <= registry.driver_ticks) return false;
  return make_driver(top), true;
}
// profile_operation: what encloses it becomes a driver, unless that is inside an operation said outright;
// then the outer one stays an operation and goes on afterwards.
__attribute__((noinline)) inline uint32_t declare_operation(Thread* t, Frame* top, TreeNode* node) {
  raise_flag(node, kDeclared);
  if (static_cast<uint32_t>(top->position) != 0) {
    Frame* began = top;
    while (began > t->frames && !(began->flags & kOperation)) --began;
    if (!(began->flags & kSaidOutright)) for (Frame* f = began; f <= top; ++f) make_driver(f);
  }
  return next_operation(t);
}
// ---- Which operations are timed ----
inline uint64_t random(Thread* t) {  // xorshift64* (Vigna 2016)
  t->random ^= t->random >> 12, t->random ^= t->random << 25, t->random ^= t->random >> 27;
  return t->random * 0x2545f4914f6cdd1d;
}
// Every 5 ms of a thread's CPU time, between two operations. With a budget, one slice in eight is only counted, so that
// what timing costs can be read from the difference; and as many operations are skipped as the budget asks for.
STOREPROF_COLD inline void next_slice(Thread* t) {
  const uint32_t budget = load(load(registry.gate)[2]);  // millionths of the CPU time
  const uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  const auto spent = static_cast<double>(cpu_ns - t->slice_cpu_ns + 1);
  const bool counted_only = t->skip > ~0u / 2;
  Block* b = t->block;
  double size = 1024;  // without a budget: when to look again whether there is one
  t->gap = t->skip = 0;
  if (budget && t->slice_size) {
    Slice& slice = b->slice_ring[b->slices % kSlices];
    store(slice.operations, t->slice_size);
    store(slice.counted_only, counted_only ? 1u : 0u);
    store(slice.cpu_ns, cpu_ns - t->slice_cpu_ns);
    publish(b->slices, b->slices + 1);
    size = t->slice_size * fmin(fmax(5e6 / spent, 0.25), 4.0);
    const Header* h = registry.header;
    const double rate = static_cast<double>(t->calls - t->slice_calls) / (spent * 1000), clock = ticks_per_ns();
    const auto python = static_cast<double>(load(h->python_ns_x1000[0]));
    const double counted = rate * (static_cast<double>(load(h->counted_ticks_x1000)) / clock + python);
    const double timing = rate * static_cast<double>(load(h->floor_ticks_x1000) - load(h->counted_ticks_x1000)) / clock;
    const double part = (budget * 0.8e-6 - counted) / timing;  // of the operations may be timed; aims below
    if (part < 1) t->gap = -1 / log1p(-fmax(part, 1.0 / 1024));
    if (part <= 0 && registry.over_budget) registry.over_budget();
  }
  t->slice_size = budget ? static_cast<uint32_t>(fmin(fmax(t->slice_size ? size : 1, 1.0), 1e6)) : 0;
  t->slice_left = budget ? t->slice_size : 1024;
  if (budget && random(t) % (b->slices < 128 ? 2 : 8) == 0) t->skip = ~0u;
  t->slice_calls = t->calls, t->slice_cpu_ns = cpu_ns;
}
inline uint32_t choose(Thread* t) {  // an operation begins: kUntimed where it is only counted
  if (STOREPROF_UNLIKELY(t->slice_left-- == 0)) next_slice(t), --t->slice_left;
  if (STOREPROF_UNLIKELY(t->skip)) return --t->skip, kUntimed;
  if (STOREPROF_UNLIKELY(t->gap > 0))  // geometrically distributed, so that no period of the program's can hide
    t->skip = static_cast<uint32_t>(-t->gap * log(static_cast<double>((random(t) >> 11) + 1) / 9007199254740992.0));
  return 0;
}
// ---- The hot path ----
__attribute__((cold)) inline Thread* adopt();
inline Thread* this_thread() { return STOREPROF_LIKELY(current) ? current : adopt(); }
// This thread's block; null where there is none, or where it is the parent's after a fork without handlers.
inline Thread* open_thread() { return STOREPROF_LIKELY(load(load(registry.gate)[1])) ? current : nullptr; }
inline uint32_t enter(Site& site) {  // the frame's index; 0: not taken
  Thread* t = this_thread();
  if (STOREPROF_UNLIKELY(!t)) return 0;
  if (!has_room(t)) return drop(), 0;
  Frame* top = t->top;
  TreeNode* parent = top->node;
  uint32_t id = load(site.id);
  TreeNode* node = parent->cache[id % kCache];
  if (STOREPROF_UNLIKELY(node->name_id != id)) {
    id = number_of(site);
    node = find_child(t, parent, id);
    if (!node->shared) return drop(), push_uncounted(t, id);
  }
  uint64_t start = 0;
  uint32_t operation = static_cast<uint32_t>(top->position), flags = top->flags & kUntimed;
  ++t->calls;
  if (STOREPROF_UNLIKELY(node == parent)) {
    flags |= kRecursive;
  } else if (site.operation) {
    operation = declare_operation(t, top, node);
    flags |= kOperation | kSaidOutright | (static_cast<uint32_t>(top->position) || flags ? 0 : choose(t));
  } else {
    if ((top->flags & (kOperation | kSaidOutright | kUntimed)) == kOperation &&
        STOREPROF_UNLIKELY((start = now()) - top->start > load(registry.driver_ticks)) && became_driver(top, start))
      operation = 0;
    if (operation == 0 && !(node->flags & kDriver)) {
      operation = next_operation(t);
      flags = kOperation | choose(t);
    }
  }
  if (STOREPROF_LIKELY(!(flags & kUntimed)) && start == 0) start = now();
  const uint64_t position = static_cast<uint64_t>(node->line) << 32 | operation;
  store(t->block->position, position);
  return push(t, {node, start, 0, position, id, flags, top->suspended});
}
inline void tally(Thread* t, const TreeNode* at, uint64_t ticks, uint64_t own) {  // a timed call
  Node* node = at->shared;
  add(node->self_ticks, own);
  if (ticks < node->min_ticks) store(node->min_ticks, ticks);
  if (ticks > node->max_ticks) store(node->max_ticks, ticks);
  const auto x = static_cast<double>(static_cast<int64_t>(ticks));
  add(node->sum_squares, x * x);
  // One call behind: a store whose address hangs on the clock just read holds up what follows, by 6 of 27 ns.
  add(*t->last_bucket, 1u);
  const uint32_t bucket = bucket_of(ticks);
  t->last_bucket = &node->histogram[bucket];
  store(t->block->last_timed, uint64_t{at->line} << 32 | bucket);
}
inline void finish(Thread* t, Frame* f, uint64_t end) {
  t->top = f - 1;
  store(t->block->position, f[-1].position);
  Node* node = f->node->shared;
  if (STOREPROF_UNLIKELY(!node)) return;
  add(node->count, uint64_t{1});
  if (STOREPROF_UNLIKELY(f->flags & kUntimed)) return;
  const uint64_t ticks = STOREPROF_LIKELY(end > f->start) ? end - f->start : 0;
  f[-1].children += ticks - (f->suspended - f[-1].suspended);  // while a task waits, what called it goes on
  if (STOREPROF_LIKELY(!(f->flags & kRecursive))) add(node->total_ticks, ticks);
  tally(t, f->node, ticks, ticks > f->children ? ticks - f->children : 0);
  if (f->flags & kOperation) {
    Block* b = t->block;
    RingEntry& entry = b->ring[b->ops_finished % kRing];
    store(entry.op_seq, static_cast<uint32_t>(f->position));
    store(entry.node_line, f->node->line);
    store(entry.start_ticks, f->start);
    store(entry.duration_ticks, ticks);
    publish(b->ops_finished, b->ops_finished + 1);
  }
}
// Scopes above `index` were left open (a `with` that ended on another thread): dropped.
inline void leave(uint32_t index) {
  Thread* t = open_thread();
  if (STOREPROF_UNLIKELY(!t)) return;
  const uint64_t end = STOREPROF_UNLIKELY(t->top->flags & kUntimed) ? 0 : now();
  for (; STOREPROF_UNLIKELY(t->top > t->frames + index); --t->top) drop();
  if (STOREPROF_LIKELY(t->top == t->frames + index)) finish(t, t->top, end);
}
// ---- Memory tags ----
inline TagRecord* new_tag(Thread* t, uint32_t id, uint32_t node, uint32_t next_here) {  // null: no room
  const Lock lock;
  const uint32_t line = id ? new_lines(sizeof(TagRecord)) : 0;
  if (line == 0) return nullptr;
  auto* tag = at_line<TagRecord>(line);
  tag->next = t->block->first_tag, tag->name_id = id, tag->node = node, tag->next_here = next_here;
  return publish(t->block->first_tag, line), tag;
}
template <bool freed> inline uint64_t add_to(TagRecord* tag, uint64_t calls, uint64_t bytes) {  // all bytes so far
  add(freed ? tag->frees : tag->allocations, calls);
  return add(freed ? tag->freed_bytes : tag->allocated_bytes, bytes);
}
inline uint32_t take_slot(Site& site) {
  const Lock lock;
  uint32_t slot = 1;
  while (slot < kTags - 1 && registry.tags[slot] && registry.tags[slot] != site.id) ++slot;
  return registry.tags[slot] = site.id, store(site.slot, slot), slot;
}
// By the scope it stands in: the first kMany calls of a tag, then one in 64, which stands for 64.
template <bool freed> STOREPROF_COLD inline TagRecord* count_here(Thread* t, Site& site, uint64_t bytes) {
  const uint32_t id = number_of(site), slot = load(site.slot) || !id ? load(site.slot) : take_slot(site);
  TagRecord *tag = t->tags[slot], *here = nullptr;
  const bool many = tag != &t->no_tag;
  uint32_t line = t->block->first_tag;
  while (!many && line && (at_line<TagRecord>(line)->name_id != id || at_line<TagRecord>(line)->node))
    line = at_line<TagRecord>(line)->next;
  if (!many && !(tag = line ? at_line<TagRecord>(line) : new_tag(t, id, 0, 0))) return nullptr;
  if (tag->allocations + tag->frees >= kMany && slot < kTags - 1) t->tags[slot] = tag;
  TreeNode* at = t->top->node;
  for (line = at->tags; line && !here; line = at_line<TagRecord>(line)->next_here)
    if (at_line<TagRecord>(line)->name_id == id) here = at_line<TagRecord>(line);
  if (!here && at != &t->dropped && (here = new_tag(t, id, at->line ? at->line : 1, at->tags))) at->tags = t->block->first_tag;
  if (here) add_to<freed>(here, many ? 64 : 1, many ? 64 * bytes : bytes);
  return tag;
}
template <bool freed> inline void count(Site& site, uint64_t bytes) {
  Thread* t = this_thread();
  if (STOREPROF_UNLIKELY(!t)) return;
  TagRecord* tag = t->tags[load(site.slot)];
  const auto calls = static_cast<uint32_t>(freed ? tag->frees : tag->allocations);
  // Which ones: spread by the golden ratio, so that no period of the program's falls in with it.
  if (STOREPROF_UNLIKELY(calls * 0x9e3779b9u < 1u << 26) && !(tag = count_here<freed>(t, site, bytes))) return drop();
  const uint64_t all = add_to<freed>(tag, 1, bytes);
  const auto live = static_cast<int64_t>(all - tag->freed_bytes);
  if (!freed && live > tag->peak_live_bytes) store(tag->peak_live_bytes, live);
}
// ---- Threads ----
inline Thread* new_thread() {  // mutex held
  constexpr uint32_t capacity = 64;
  Thread* t = private_memory<Thread>();
  Frame* frames = private_memory<Frame>(capacity);
  const uint32_t line = t && frames ? new_lines(sizeof(Block)) : 0;
  if (line == 0) return nullptr;
  t->frames = t->top = frames, t->end = frames + capacity, frames[0].node = &t->root, t->last_bucket = &t->no_bucket;
  init_node(t->root, &t->dropped, kNoName, 0);
  init_node(t->dropped, &t->dropped, kNoName, kMaxNodeDepth);
  for (TagRecord*& tag : t->tags) tag = &t->no_tag;
  t->block = at_line<Block>(line);
  t->block->next = registry.header->first_thread;
  publish(registry.header->first_thread, line);
  return t;
}
// In thousandths of a tick: the smallest of 16 batches, together about 0.2 ms.
template <typename F> inline uint64_t cost_of(F call) {
  uint64_t best = ~0ull;
  for (int batch = 0; batch < 16; ++batch) {
    const uint64_t start = now();
    for (int i = 0; i < 256; ++i) call();
    const uint64_t ticks = now() - start;
    if (ticks < best) best = ticks;
  }
  return best * 1000 / 256;
}
// What one scope costs, timed and only counted, and one count of a memory tag: on a thread that has no scopes yet, with
// a node and a tag that nobody sees.
inline void calibrate(Thread* t) {  // mutex held
  Header* h = registry.header;
  Site site{nullptr, nullptr, 0, false, 1, 1};
  Node node{};
  TreeNode child{};
  init_node(child, &t->dropped, 1, 1);
  child.shared = &node;
  child.flags = kDriver;  // no operation
  t->root.cache[1] = &child;
  const auto scope = [&] { leave(enter(site)); };
  t->frames->flags = kUntimed;
  store(h->counted_ticks_x1000, cost_of(scope));
  t->frames->flags = 0;
  store(h->floor_ticks_x1000, cost_of(scope));
  t->root.cache[1] = &t->dropped;
  TagRecord tag{};
  tag.name_id = 1;
  t->tags[1] = &tag, t->frames->node = &t->dropped;  // no record is made for it
  store(h->tag_ticks_x1000, cost_of([&] { count<false>(site, 1); }));
  t->tags[1] = &t->no_tag, t->frames->node = &t->root, t->last_bucket = &t->no_bucket, t->block->last_timed = 0;
}
inline void hand_back(void* thread) {  // a thread ended: its block, counters included, waits for the next one
  auto* t = static_cast<Thread*>(thread);
  const Lock lock;
  t->top = t->frames;
  store(t->block->position, uint64_t{0});
  store(t->block->tid, 0u);
  t->next_free = registry.free_threads, registry.free_threads = t;
  current = nullptr;
}
__attribute__((cold)) inline Thread* adopt() {  // the first scope of a thread; the gate is on, so there is a header
  const Lock lock;
  Thread* t = registry.free_threads ? registry.free_threads : new_thread();
  if (!t) return drop(), nullptr;
  if (t == registry.free_threads) registry.free_threads = t->next_free;
  current = t;
  if (registry.header->floor_ticks_x1000 == 0) calibrate(t);
  t->gap = 0, t->slice_left = t->slice_size = t->skip = 0;  // a new thread's first operation is timed
  t->random = now() | 1;
  add(t->block->generation, 1u);
  store(t->block->taken_ticks, now());
  publish(t->block->tid, static_cast<uint32_t>(syscall(SYS_gettid)));
  pthread_setspecific(registry.key, t);
  return t;
}
// ---- Tasks: what a coroutine or generator has open leaves the thread's stack with it ----
struct Suspended {
  Thread* thread;
  uint64_t since;
  uint32_t count, waits;  // waits: no coroutine further inside does
  Frame frames[1];
};
// Takes what lies from `index` on off the stack, into `at` (null: only says how many bytes it needs). `awaits`: what is
// below waits for it, and does not itself count as suspended.
inline size_t suspend(Suspended* at, uint32_t index, bool awaits) {
  Thread* t = open_thread();
  const uint32_t top = t ? static_cast<uint32_t>(t->top - t->frames) : 0;
  const uint32_t count = top >= index && index ? top - index + 1 : 0;
  if (!at) return sizeof(Suspended) + count * sizeof(Frame);
  *at = {t, count ? now() : 0, count, 0, {}};
  if (!count) return 0;
  Frame *base = t->frames + index, *below = base - 1;
  at->waits = !(t->top->flags & kAwaits);
  memcpy(static_cast<void*>(at->frames), base, count * sizeof(Frame));
  for (uint32_t i = 0; i < count; ++i) at->frames[i].suspended -= below->suspended;
  if (awaits) below->flags |= kAwaits;
  t->top = below;
  store(t->block->position, below->position);
  return 0;
}
inline uint32_t resume(const Suspended* from, Site& waiting) {  // the index they begin at; 0: on another thread now
  Thread* t = open_thread();
  if (!from->count || !t || t != from->thread) return 0;
  Frame* below = t->top;
  const auto index = static_cast<uint32_t>(below - t->frames) + 1;
  const uint64_t ticks = below->flags & kAwaits ? 0 : now() - from->since;  // what is below waited as long, and knows
  below->flags &= ~kAwaits;
  for (uint32_t i = 0; i < from->count; ++i) {
    if (!has_room(t)) return drop(), t->top = t->frames + (index - 1), 0;
    push(t, from->frames[i]);
    t->top->suspended += t->frames[index - 1].suspended;
  }
  for (Frame* f = t->frames + index; f <= t->top; ++f) f->suspended += ticks;
  if (from->waits && static_cast<uint32_t>(t->top->position) && !(t->top->flags & kUntimed)) {
    const uint32_t inside = enter(waiting);  // a scope of its own says how long
    t->top->start = from->since;
    leave(inside);
  }
  store(t->block->position, t->top->position);
  return index;
}
// ---- The recorder's beginning, and fork ----
inline Header* map_memory() {  // mutex held
  rlimit limit;  // a limited address space is the program's: a sixteenth of it is plenty
  if (getrlimit(RLIMIT_AS, &limit) != 0) return nullptr;
  registry.reserve = limit.rlim_cur / 16 < kReserve ? limit.rlim_cur / 16 / kChunk * kChunk : kReserve;
  void* p = mmap(nullptr, registry.reserve, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, registry.fd, 0);
  if (p == MAP_FAILED) return nullptr;
  madvise(p, registry.reserve, MADV_DONTDUMP);
  return static_cast<Header*>(p);
}
inline bool is_asked_to_record() {
  return getenv("STOREPROF_RECORD") && strcmp(getenv("STOREPROF_RECORD"), "1") == 0;
}
inline bool create(uint32_t gate) {  // mutex held; the gate's page exists
  registry.allocated = 0, registry.full = false;
  registry.fd = memfd_create("storeprof-probe", MFD_CLOEXEC);
  if (registry.fd < 0 || fstat(registry.fd, &registry.file) != 0) return false;
  Header* h = grow(kChunk) ? map_memory() : nullptr;
  if (!h) return close(registry.fd), false;
  h->version = 3, h->header_bytes = sizeof(Header);
  if (getrandom(h->uuid, sizeof h->uuid, GRND_NONBLOCK) < 0) memcpy(h->uuid, &registry.file.st_ino, sizeof(ino_t));
  h->pid = static_cast<uint32_t>(getpid());
  h->clock = registry.tsc ? 1 : 2;
  h->gate_address = reinterpret_cast<uint64_t>(registry.gate);
  h->used_bytes = sizeof(Header), h->reserve_bytes = registry.reserve;
  h->anchor_realtime_ns = clock_ns(CLOCK_REALTIME);
  h->anchor_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
  h->anchor_ticks = now();
  registry.header = h;
  uint64_t magic;  // last: what carries it is whole
  memcpy(&magic, "STORPRF", 8);
  publish(*reinterpret_cast<uint64_t*>(h->magic), magic);
  store(registry.gate[1], 1u), store(registry.gate[0], gate);
  // Yama lets only ancestors read a process, and the observer may be a sibling. Only under `storeprof
  // record`: a program that merely contains probes keeps its protection. Children don't inherit it.
  if (is_asked_to_record()) prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  return true;
}
inline void before_fork() {
  pthread_mutex_lock(&registry.mutex);  // the child's copy of everything is then whole
  registry.gate_before_fork = load(registry.gate[0]), registry.budget_before_fork = load(registry.gate[2]);
}
inline void after_fork() { pthread_mutex_unlock(&registry.mutex); }
// The names are copied from the parent's mapping with their numbers, so that every site keeps its own.
inline void in_child() {
  Header* const parents = registry.header;
  if (parents && is_our_file()) close(registry.fd);
  registry.header = nullptr, registry.free_threads = nullptr;  // their private memory stays behind, copy-on-write
  current = nullptr;
  pthread_setspecific(registry.key, nullptr);
  if (parents && create(registry.gate_before_fork)) {
    registry.gate[2] = registry.budget_before_fork;
    memcpy(&registry.header->floor_ticks_x1000, &parents->floor_ticks_x1000, 6 * sizeof(uint64_t));
    for (Name* n : registry.names)
      for (; n; n = n->next_in_bucket) {
        const auto* name = reinterpret_cast<NameRecord*>(parents) + n->line * (kLine / sizeof(NameRecord));
        n->line = write_name(name->name_id, name->name(), name->file(), name->line);
      }
  }
  if (parents) munmap(parents, parents->reserve_bytes);
  after_fork();
}
inline bool start() {
  const Lock lock;
  if (registry.gate != registry.off) return true;
  auto* page = static_cast<uint32_t*>(pages(4096));
  // Without the wipe a child made by a bare clone() would write into its parent's counters; without the key
  // the end of a thread would go unnoticed, and its block be lost.
  if (!page || madvise(page, 4096, MADV_WIPEONFORK) != 0 || pthread_key_create(&registry.key, hand_back) != 0 ||
      pthread_atfork(before_fork, after_fork, in_child) != 0)
    return false;
#if defined(__x86_64__)
  uint32_t a, b, c, d;
  registry.tsc = __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d >> 8 & 1);  // invariant
#endif
  publish(registry.gate, page);
  return create(is_asked_to_record());
}
STOREPROF_EXPORT inline const bool started = start();
// ---- Locks with names: waits for one show whose it is; how long it is waited for and held, and how often ----
inline void name_lock(const void* lock, const char* name) {
  char file[40] = "storeprof:lock@";  // in place of a file (the page says how it is read)
  snprintf(file + strlen(file), 20, "%llx", static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(lock)));
  intern(name, file, 0);
}
struct Held {  // beside a lock; its holder alone writes it. Counts lie below the scope that took the lock
  Site held, waited;
  Thread* thread = nullptr;  // that took it, if we saw it
  TreeNode* at = nullptr;
  uint64_t since = 0, depth = 0, times = 0;
  explicit Held(const char* name) : held{name, "storeprof:held", 0, 0, 0}, waited{name, "storeprof:waited", 0, 0, 0} {}
  void note(Site& site, uint64_t start) {  // start 0: only counted
    const uint64_t end = start ? now() : 0, ticks = end > start ? end - start : 0;
    const uint32_t id = number_of(site);
    TreeNode* child = at->cache[id % kCache];
    if (STOREPROF_UNLIKELY(child->name_id != id)) child = find_child(thread, at, id);
    if (STOREPROF_UNLIKELY(!child->shared)) return drop();
    add(child->shared->count, uint64_t{1});
    if (start) add(child->shared->total_ticks, ticks), tally(thread, child, ticks, ticks);
  }
  void taken(uint64_t asked) {  // asked: when somebody else was found to hold it, else 0
    Thread* t = is_on() ? this_thread() : nullptr;
    if (!t || (t == thread && ++depth)) return;
    thread = t, at = t->top->node, depth = 0;
    if (STOREPROF_UNLIKELY(asked)) note(waited, asked);
    // Of a lock that is taken often a fourth of the holds is timed, at random; waits all are.
    since = t->top->flags & kUntimed || (++times > kMany && random(t) % 4) ? 0 : now();
  }
  void released() {
    if (!thread || (thread == open_thread() && depth && depth--)) return;
    if (STOREPROF_LIKELY(thread == open_thread())) note(held, since);
    thread = nullptr;
  }
};
template <typename T> struct named : T {  // std::mutex and its like: still a std::mutex for guards and conditions
  Held held;
  explicit named(const char* name) : held(name) { name_lock(static_cast<T*>(this), name); }
  bool try_lock() { return T::try_lock() && (held.taken(0), true); }
  void lock() {
    const uint64_t asked = T::try_lock() ? 0 : now();
    if (STOREPROF_UNLIKELY(asked)) T::lock();
    held.taken(asked);
  }
  void unlock() { held.released(), T::unlock(); }
};
using mutex = named<std::mutex>;
struct Scope {
  const uint32_t index;  // taken or not is remembered: the gate may move meanwhile
  explicit Scope(Site& site) noexcept : index(is_on() ? enter(site) : 0) {}
  ~Scope() {
    if (STOREPROF_UNLIKELY(index)) leave(index);
  }
};
}  // namespace v1
}  // namespace storeprof
#define STOREPROF_JOIN_(a, b) a##b
#define STOREPROF_JOIN(a, b) STOREPROF_JOIN_(a, b)
#define STOREPROF_SCOPE_(n, name, op)                                                                  \
  static ::storeprof::Site STOREPROF_JOIN(storeprof_site_, n){name, __FILE__, __LINE__, op, 0, 0};     \
  const ::storeprof::Scope STOREPROF_JOIN(storeprof_scope_, n)(STOREPROF_JOIN(storeprof_site_, n))
#define STOREPROF_MEMORY_(freed, type, bytes)                                                          \
  do {                                                                                                 \
    static ::storeprof::Site storeprof_site{"" type, "", 0, false, 0, 0};                              \
    if (::storeprof::is_on()) ::storeprof::count<freed>(storeprof_site, static_cast<uint64_t>(bytes)); \
  } while (false)
#define PROFILE_FUNCTION() STOREPROF_SCOPE_(__COUNTER__, __PRETTY_FUNCTION__, false)
#define PROFILE_SCOPE(name) STOREPROF_SCOPE_(__COUNTER__, "" name, false)
#define PROFILE_TIMING(name) PROFILE_SCOPE(name)
#define PROFILE_OPERATION(name) STOREPROF_SCOPE_(__COUNTER__, "" name, true)
#define PROFILE_LOCKABLE(type, variable) ::storeprof::named<type> variable{#variable}
#define PROFILE_MEMORY_ALLOC(type, bytes) STOREPROF_MEMORY_(false, type, bytes)
#define PROFILE_MEMORY_DEALLOC(type, bytes) STOREPROF_MEMORY_(true, type, bytes)

#else  // nothing remains; sizeof keeps variables that only feed a probe from being reported as unused
#include <mutex>
namespace storeprof {
struct mutex : std::mutex { explicit mutex(const char*) {} };
inline void name_lock(const void*, const char*) {}
}  // namespace storeprof
#define PROFILE_LOCKABLE(type, variable) type variable{}
#define PROFILE_TIMING(name) static_cast<void>(0)
#define PROFILE_FUNCTION() static_cast<void>(0)
#define PROFILE_SCOPE(name) static_cast<void>(0)
#define PROFILE_OPERATION(name) static_cast<void>(0)
#define PROFILE_MEMORY_ALLOC(type, bytes) static_cast<void>(sizeof(bytes))
#define PROFILE_MEMORY_DEALLOC(type, bytes) static_cast<void>(sizeof(bytes))
#endif
