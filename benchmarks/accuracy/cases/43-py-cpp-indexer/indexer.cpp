// Keeps postings of the terms of each record that comes in on standard input.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace indexing {

const bool planted = [] { const char* plant = getenv("PLANT"); return !plant || std::string_view(plant) != "0"; }();

// Cuts a record into terms of eight letters.
std::vector<std::string_view> terms_of(std::string_view record) {
    std::vector<std::string_view> terms;
    for (size_t at = 0; at + 8 <= record.size(); at += 8) terms.push_back(record.substr(at, 8));
    return terms;
}

// The signature of a record. Every rolling window is hashed from its beginning, although it differs from the one before
// by two letters.
[[gnu::noinline]] uint64_t signature(std::string_view record) {
    constexpr size_t width = 64;
    uint64_t best = ~0ull;
    for (size_t at = 0; at + width <= record.size(); at++) {
        uint64_t hash = 1469598103934665603ull;
        for (int round = 0; round < 2; round++)
            for (size_t i = 0; i < width; i++) hash = (hash ^ uint8_t(record[at + i])) * 1099511628211ull;
        best = std::min(best, hash);
    }
    return best;
}

[[gnu::noinline]] uint64_t rolling_signature(std::string_view record) {
    uint64_t hash = 0, best = ~0ull;
    for (char letter : record) best = std::min(best, hash = hash * 31 + uint8_t(letter));
    return best;
}

class Postings {
  public:
    [[gnu::noinline]] void add(std::string_view record, uint64_t number) {
        for (std::string_view term : terms_of(record)) {
            auto& list = lists_[std::hash<std::string_view>{}(term) % 50021];
            list.push_back(number);
            if (list.size() > 256) list.erase(list.begin(), list.begin() + 128);
        }
    }

  private:
    std::unordered_map<uint64_t, std::vector<uint64_t>> lists_;
};

}  // namespace indexing

int main() {
    std::ios::sync_with_stdio(false);
    indexing::Postings postings;
    std::unordered_map<uint64_t, uint64_t> seen;
    uint64_t number = 0;
    for (std::string record; std::getline(std::cin, record); number++) {
        postings.add(record, number);
        seen[(indexing::planted ? indexing::signature(record) : indexing::rolling_signature(record)) % 100003] = number;
    }
    return seen.empty();
}
