#pragma once

#include <cstdint>

#include "domain/base/int128.h"

namespace daybook {

/// An unsigned 256-bit number: high * 2^128 + low. Only what an exact product needs.
struct Uint256 {
  uint128 high = 0;
  uint128 low = 0;
};

/// left * right, all 256 bits of it.
constexpr Uint256 multiply_wide(uint128 left, uint128 right) {
  constexpr uint128 kLow64 = ~std::uint64_t{0};
  const uint128 left_low = left & kLow64;
  const uint128 left_high = left >> 64;
  const uint128 right_low = right & kLow64;
  const uint128 right_high = right >> 64;
  const uint128 low = left_low * right_low;
  const uint128 cross = left_high * right_low + (low >> 64);  // < 2^128: (2^64-1)^2 + 2^64-1
  const uint128 middle = left_low * right_high + (cross & kLow64);
  return {left_high * right_high + (cross >> 64) + (middle >> 64), (middle << 64) | (low & kLow64)};
}

struct WideQuotient {
  Uint256 quotient;
  std::uint64_t remainder = 0;
};

/// value / divisor by long division in 64-bit digits. REQUIRES: divisor > 0.
constexpr WideQuotient divide_wide(Uint256 value, std::uint64_t divisor) {
  const std::uint64_t digits[4] = {
      static_cast<std::uint64_t>(value.high >> 64), static_cast<std::uint64_t>(value.high),
      static_cast<std::uint64_t>(value.low >> 64), static_cast<std::uint64_t>(value.low)};
  std::uint64_t quotient[4] = {};
  std::uint64_t remainder = 0;
  for (int i = 0; i < 4; ++i) {
    const uint128 part = (static_cast<uint128>(remainder) << 64) | digits[i];
    quotient[i] = static_cast<std::uint64_t>(part / divisor);
    remainder = static_cast<std::uint64_t>(part % divisor);
  }
  return {{(static_cast<uint128>(quotient[0]) << 64) | quotient[1],
           (static_cast<uint128>(quotient[2]) << 64) | quotient[3]},
          remainder};
}

}  // namespace daybook
