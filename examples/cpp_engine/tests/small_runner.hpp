// Stands in for GoogleTest where it is not installed: TEST, EXPECT_*, --gtest_filter=SUITE.NAME, --gtest_repeat=N.
#pragma once

#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

namespace small_runner {

struct Case {
  std::string name;
  std::function<void()> body;
};
inline std::vector<Case> cases;
inline bool failed = false;

struct Registered {
  Registered(const char* suite, const char* name, std::function<void()> body) {
    cases.push_back({std::string(suite) + "." + name, std::move(body)});
  }
};

template <class A, class B>
void expect(bool held, const A& a, const B& b, const char* text, const char* file, int line) {
  if (held) return;
  failed = true;
  std::cout << file << ":" << line << ": " << text << " failed: " << a << " and " << b << "\n";
}

inline std::string value_of(int argc, char** argv, const std::string& option) {
  for (int i = 1; i < argc; i++)
    if (std::string(argv[i]).rfind(option, 0) == 0) return argv[i] + option.size();
  return "";
}

inline int run(int argc, char** argv) {
  const std::string filter = value_of(argc, argv, "--gtest_filter="), repeat = value_of(argc, argv, "--gtest_repeat=");
  int broken = 0, ran = 0;
  for (int round = 0, rounds = repeat.empty() ? 1 : std::stoi(repeat); round != rounds && !broken; round++)
    for (const auto& one : cases) {
      if (!filter.empty() && filter != "*" && filter != one.name) continue;
      failed = false;
      one.body();
      broken += failed;
      ran++;
      if (failed || repeat.empty()) std::cout << (failed ? "[  FAILED  ] " : "[       OK ] ") << one.name << std::endl;
    }
  std::cout << "[==========] " << ran << " tests ran." << std::endl;
  return broken != 0;
}

}  // namespace small_runner

namespace testing {
inline std::function<int()> all;
inline void InitGoogleTest(int* argc, char** argv) {
  all = [argc, argv] { return small_runner::run(*argc, argv); };
}
}  // namespace testing
inline int RUN_ALL_TESTS() { return testing::all(); }

#define TEST(suite, name)                                                                                      \
  static void suite##_##name();                                                                                \
  static const small_runner::Registered suite##_##name##_registered(#suite, #name, suite##_##name);            \
  static void suite##_##name()
#define EXPECT_EQ(a, b) small_runner::expect((a) == (b), a, b, #a " == " #b, __FILE__, __LINE__)
#define EXPECT_LT(a, b) small_runner::expect((a) < (b), a, b, #a " < " #b, __FILE__, __LINE__)
#define EXPECT_GT(a, b) small_runner::expect((a) > (b), a, b, #a " > " #b, __FILE__, __LINE__)
