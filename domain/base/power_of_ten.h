#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace daybook {

inline constexpr std::array<std::uint64_t, 20> kPowersOfTen = [] {
  std::array<std::uint64_t, 20> powers{};
  std::uint64_t power = 1;
  for (std::uint64_t& entry : powers) {
    entry = power;
    power *= 10;  // wraps after the last entry, where nobody looks
  }
  return powers;
}();

/// REQUIRES: 0 <= exponent <= 19, the largest whose power fits 64 bits.
constexpr std::uint64_t power_of_ten(int exponent) {
  return kPowersOfTen[static_cast<std::size_t>(exponent)];
}

}  // namespace daybook
