// Work goes to four pool threads by futures; one kind of task is far dearer, and the round waits for it.
#include <condition_variable>
#include <functional>
#include <future>
#include <queue>
#include <thread>
#include "../../parts/even_stages.hpp"
class Pool {
  std::mutex m; std::condition_variable cv; std::queue<std::packaged_task<uint64_t()>> q; bool closed = false; std::vector<std::thread> ts;
 public:
  explicit Pool(int n) { for (int i = 0; i < n; i++) ts.emplace_back([this] { run(); }); }
  ~Pool() { { std::lock_guard<std::mutex> h(m); closed = true; } cv.notify_all(); for (auto& t : ts) t.join(); }
  std::future<uint64_t> submit(std::function<uint64_t()> f) { std::packaged_task<uint64_t()> t(std::move(f)); auto r = t.get_future(); { std::lock_guard<std::mutex> h(m); q.push(std::move(t)); } cv.notify_one(); return r; }
  void run() { for (;;) { std::packaged_task<uint64_t()> t; { std::unique_lock<std::mutex> h(m); cv.wait(h, [this] { return closed || !q.empty(); }); if (q.empty()) return; t = std::move(q.front()); q.pop(); } t(); } }
};
NOINLINE static uint64_t pack_hot(uint64_t x) { static thread_local spread::S s = spread::make(); for (int i = 0; i < 20; i++) x = spread::work(s, x); return x; }
static const bool on = planted(); NOINLINE static uint64_t pack_cold(uint64_t x) { uint64_t h = x; for (int i = 0; i < (on ? 600000 : 6000); i++) h = (h ^ (h >> 13)) * 0x100000001b3ull; return h; }
NOINLINE static uint64_t gather(Pool& p, uint64_t x) { std::vector<std::future<uint64_t>> r; for (int i = 0; i < 3; i++) r.push_back(p.submit([x, i] { return pack_hot(x + i); })); r.push_back(p.submit([x] { return pack_cold(x); })); uint64_t s = 0; for (auto& f : r) s += f.get(); return s; }
int main() {
  Pool p(4); spread::S s = spread::make(); uint64_t n = 0, x = 1; double start = now(), end = start + run_seconds();
  for (; now() < end; n++) { for (int i = 0; i < 200; i++) x = spread::work(s, x); x += gather(p, x); }
  done(n, start);
}
