#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace daybook::fuzz {

/// Chance that comes from the input itself, so that a corpus file is all that a replay needs.
class Chance {
 public:
  explicit Chance(std::string_view bytes) {
    for (const char byte : bytes) {  // FNV-1a
      state_ = (state_ ^ static_cast<std::uint8_t>(byte)) * 0x100000001B3ULL;
    }
  }

  /// 0 to bound - 1. REQUIRES: bound > 0.
  std::size_t below(std::size_t bound) {
    state_ += 0x9E3779B97F4A7C15ULL;  // splitmix64
    std::uint64_t word = state_;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL;
    return static_cast<std::size_t>((word ^ (word >> 31)) % bound);
  }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325ULL;
};

/// The bytes in pieces of one up to `longest` bytes; never an empty one.
inline std::vector<std::string_view> pieces_of(std::string_view bytes, std::size_t longest,
                                               Chance& chance) {
  std::vector<std::string_view> pieces;
  while (!bytes.empty()) {
    const std::size_t size = std::min(1 + chance.below(longest), bytes.size());
    pieces.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return pieces;
}

}  // namespace daybook::fuzz
