// tsdb_integration_test_suite: the engine as a whole, on a directory of its own.
//   --gtest_repeat=-1 repeats all tests without end, so that a profiler has something to look at.
#if defined(HAVE_GTEST)
#include <gtest/gtest.h>
#else
#include "small_runner.hpp"
#endif

#include <stdlib.h>

#include <cmath>
#include <filesystem>

#include "engine.hpp"

namespace {

using tsdb::core::Samples;

struct Directory {
  std::string path = std::filesystem::temp_directory_path().string() + "/tsdb-test-XXXXXX";
  Directory() {
    if (!mkdtemp(path.data())) std::abort();
  }
  ~Directory() { std::filesystem::remove_all(path); }
};

Samples wave(int64_t first, int count) {
  Samples samples;
  for (int i = 0; i < count; i++) samples.push_back({first + 10 * i, std::sin(i / 50.0)});
  return samples;
}

bool same(const Samples& a, const Samples& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++)
    if (a[i].timestamp != b[i].timestamp || a[i].value != b[i].value) return false;
  return true;
}

TEST(CompressionEngine, GivesBackWhatItTook) {
  const tsdb::CompressionEngine compression;
  const Samples samples = wave(-500, 5000);
  EXPECT_EQ(same(compression.decompress(compression.compress(samples)), samples), true);
}

TEST(CompressionEngine, TakesLessThanTheSamples) {
  EXPECT_LT(tsdb::CompressionEngine().compress(wave(0, 5000)).size(), 5000 * sizeof(tsdb::core::Sample));
}

TEST(BlockManager, LoadsTheBlockThatWasStored) {
  const Directory directory;
  tsdb::BlockManager blocks(directory.path);
  const Samples first = wave(0, 700), second = wave(9000, 300);
  const auto one = blocks.store_block(first), two = blocks.store_block(second);
  EXPECT_EQ(same(blocks.load_block(one), first), true);
  EXPECT_EQ(same(blocks.load_block(two), second), true);
}

TEST(CacheHierarchy, ForgetsTheLeastRecentlyUsed) {
  tsdb::CacheHierarchy cache(1, 2);
  for (uint64_t id = 1; id <= 3; id++) cache.put(id, std::make_shared<const Samples>(wave(0, 1)));
  EXPECT_EQ(cache.get(1) == nullptr, true);
  EXPECT_EQ(cache.get(3) != nullptr, true);
  EXPECT_EQ(cache.get(2) != nullptr, true);
}

TEST(StorageImpl, ReadsWhatWasWritten) {
  const Directory directory;
  tsdb::StorageImpl storage({directory.path, 256});
  const Samples samples = wave(0, 10000);
  for (const auto& sample : samples) storage.write("cpu", sample);
  EXPECT_EQ(same(storage.read("cpu", INT64_MIN, INT64_MAX), samples), true);
  storage.flush();
  EXPECT_EQ(same(storage.read("cpu", INT64_MIN, INT64_MAX), samples), true);
  EXPECT_EQ(storage.read("cpu", 100, 200).size(), 10u);
}

TEST(StorageImpl, ServesASecondReadFromTheCache) {
  const Directory directory;
  tsdb::StorageImpl storage({directory.path, 256});
  for (const auto& sample : wave(0, 2000)) storage.write("cpu", sample);
  storage.flush();
  storage.read("cpu", 0, 20000);
  const auto misses = storage.cache().misses();
  storage.read("cpu", 0, 20000);
  EXPECT_EQ(storage.cache().misses(), misses);
  EXPECT_GT(storage.cache().hits(), 0u);
}

TEST(StorageImpl, TakesWritesFromSeveralThreads) {
  const Directory directory;
  tsdb::StorageImpl storage({directory.path, 128});
  std::vector<std::thread> writers;
  for (int number = 0; number < 4; number++)
    writers.emplace_back([&storage, number] {
      for (const auto& sample : wave(0, 3000)) storage.write("cpu" + std::to_string(number), sample);
    });
  for (auto& one : writers) one.join();
  for (int number = 0; number < 4; number++)
    EXPECT_EQ(storage.read("cpu" + std::to_string(number), 0, INT64_MAX).size(), 3000u);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
