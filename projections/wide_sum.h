#pragma once

#include <algorithm>
#include <string>

#include "domain/base/check.h"
#include "domain/base/wide.h"
#include "domain/money.h"

namespace daybook::projections {

/// A sum of amounts that cannot overflow: 256 bits hold 2^64 events of the largest amount with room
/// to spare. Two such amounts alone exceed 128 bits, and a total over accounts must never stop the
/// books. Unit: 10^-12 of the currency.
struct WideSum {
  Uint256 units;

  void add(uint128 amount) {
    units.low += amount;
    if (units.low < amount) ++units.high;
  }
  void add(const WideSum& other) {
    add(other.units.low);
    units.high += other.units.high;
  }
  bool is_zero() const { return units.high == 0 && units.low == 0; }
  bool operator==(const WideSum& other) const {
    return units.high == other.units.high && units.low == other.units.low;
  }
  bool operator<(const WideSum& other) const {
    return units.high != other.units.high ? units.high < other.units.high
                                          : units.low < other.units.low;
  }
};

/// left - right. REQUIRES: right <= left.
inline WideSum difference(const WideSum& left, const WideSum& right) {
  CHECK(!(left < right));
  const uint128 borrow = left.units.low < right.units.low ? 1 : 0;
  return {{left.units.high - right.units.high - borrow, left.units.low - right.units.low}};
}

/// Text in the form of domain::to_text(Amount), with as many digits as it takes.
inline std::string to_text(const WideSum& sum, int minimum_decimals) {
  CHECK(minimum_decimals >= 0 && minimum_decimals <= domain::kAmountDecimals);
  std::string reversed;
  Uint256 rest = sum.units;
  int decimals = domain::kAmountDecimals;
  for (int digit = 0; digit <= domain::kAmountDecimals || rest.high != 0 || rest.low != 0;
       ++digit) {
    const auto [quotient, remainder] = divide_wide(rest, 10);
    rest = quotient;
    const bool superfluous = digit == domain::kAmountDecimals - decimals &&
                             decimals > minimum_decimals && remainder == 0;
    if (superfluous) {
      --decimals;
      continue;
    }
    if (digit == domain::kAmountDecimals && decimals > 0) reversed.push_back('.');
    reversed.push_back(static_cast<char>('0' + remainder));
  }
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}

}  // namespace daybook::projections
