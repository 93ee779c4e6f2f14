#pragma once

namespace daybook {

// g++ and clang both have it; `__extension__` tells -Wpedantic that we know it is not ISO C++.
__extension__ using int128 = __int128;
__extension__ using uint128 = unsigned __int128;

inline constexpr int128 kInt128Max = static_cast<int128>(~static_cast<uint128>(0) >> 1);
inline constexpr int128 kInt128Min = -kInt128Max - 1;

/// -value overflows for the least int128; unsigned negation does not.
constexpr uint128 magnitude_of(int128 value) {
  const auto bits = static_cast<uint128>(value);
  return value < 0 ? ~bits + 1 : bits;
}

}  // namespace daybook
