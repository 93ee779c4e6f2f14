#include "domain/money.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "domain/base/check.h"
#include "domain/base/power_of_ten.h"
#include "domain/base/wide.h"

namespace daybook::domain {
namespace {

constexpr std::uint64_t kQuantityScale = power_of_ten(kQuantityDecimals);

struct Quotient {
  uint128 quotient;
  std::uint64_t remainder;
};

/// Most values fit 64 bits, where one machine division replaces a library call.
Quotient divide(uint128 value, std::uint64_t by) {
  if (const auto small = static_cast<std::uint64_t>(value); small == value) {
    return {small / by, small % by};
  }
  const uint128 quotient = value / by;
  return {quotient, static_cast<std::uint64_t>(value - quotient * by)};
}

std::optional<int128> with_sign(uint128 magnitude, bool negative) {
  const uint128 limit = static_cast<uint128>(kInt128Max) + (negative ? 1U : 0U);
  if (magnitude > limit) return std::nullopt;
  return static_cast<int128>(negative ? ~magnitude + 1 : magnitude);
}

std::size_t count_digits(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  return count;
}

/// REQUIRES: at most 18 characters, all digits.
std::uint64_t read_digits(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char digit : digits) value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  return value;
}

/// Reads `-?[0-9]{1,integer_digits}(\.[0-9]{1,decimals})?` as a count of 10^-decimals.
/// REQUIRES: integer_digits <= 36, decimals <= 18, their sum <= 38.
template <std::size_t integer_digits, std::size_t decimals>
std::optional<int128> parse_units(std::string_view text) {
  static_assert(integer_digits <= 36 && decimals <= 18 && integer_digits + decimals <= 38);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t whole = count_digits(text);
  if (whole == 0 || whole > integer_digits) return std::nullopt;

  const std::size_t low_digits = std::min<std::size_t>(whole, 18);
  uint128 value = read_digits(text.substr(whole - low_digits, low_digits));
  if (whole > low_digits) {
    value +=
        static_cast<uint128>(read_digits(text.substr(0, whole - low_digits))) * power_of_ten(18);
  }
  value *= power_of_ten(static_cast<int>(decimals));

  if (text.size() > whole) {
    const std::string_view fraction = text.substr(whole + 1);
    if (text[whole] != '.' || fraction.empty() || fraction.size() > decimals ||
        count_digits(fraction) != fraction.size()) {
      return std::nullopt;
    }
    const std::uint64_t scale = power_of_ten(static_cast<int>(decimals - fraction.size()));
    value += read_digits(fraction) * uint128{scale};
  }
  return static_cast<int128>(negative ? ~value + 1 : value);
}

/// Writes `value` right-aligned before `end`, with zeros up to `width`; returns its first
/// character.
char* write_digits(char* end, std::uint64_t value, int width) {
  for (; value != 0 || width > 0; --width) {
    *--end = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return end;
}

/// Units of 10^-decimals as text with at least `minimum` of the decimals.
std::string units_to_text(int128 units, int decimals, int minimum) {
  auto [whole, fraction] = divide(magnitude_of(units), power_of_ten(decimals));
  while (decimals > minimum && fraction % 10 == 0) {
    fraction /= 10;
    --decimals;
  }
  std::array<char, 48> text;  // sign, 27 digits, point, 18 decimals
  char* const end = text.data() + text.size();
  char* begin = end;
  if (decimals > 0) {
    begin = write_digits(begin, fraction, decimals);
    *--begin = '.';
  }
  const auto [high, low] = divide(whole, power_of_ten(18));
  begin = write_digits(begin, low, high == 0 ? 1 : 18);
  begin = write_digits(begin, static_cast<std::uint64_t>(high), 0);
  if (units < 0) *--begin = '-';
  return {begin, end};
}

/// Whether the magnitude of a truncated quotient grows by one. REQUIRES: remainder < divisor.
bool rounds_away(Rounding rounding, bool negative, bool odd, std::uint64_t remainder,
                 std::uint64_t divisor) {
  if (remainder == 0) return false;
  const std::uint64_t missing = divisor - remainder;
  switch (rounding) {
    case Rounding::kHalfEven:
      return remainder > missing || (remainder == missing && odd);
    case Rounding::kHalfUp:
      return remainder >= missing;
    case Rounding::kTowardZero:
      return false;
    case Rounding::kFloor:
      return negative;
    case Rounding::kCeiling:
      return !negative;
  }
  CHECK(false);
  return false;
}

}  // namespace

std::optional<Amount> checked_add(Amount left, Amount right) {
  Amount sum;
  if (__builtin_add_overflow(left.units, right.units, &sum.units)) return std::nullopt;
  return sum;
}

std::optional<Amount> checked_subtract(Amount left, Amount right) {
  Amount difference;
  if (__builtin_sub_overflow(left.units, right.units, &difference.units)) return std::nullopt;
  return difference;
}

std::optional<Amount> checked_negate(Amount amount) { return checked_subtract(Amount{}, amount); }

std::optional<Amount> parse_amount(std::string_view text) {
  const auto units = parse_units<kAmountIntegerDigits, kAmountDecimals>(text);
  if (!units) return std::nullopt;
  return Amount{*units};
}

bool is_whole_minor_units(Amount amount, Currency currency) {
  const std::uint64_t scale = power_of_ten(kAmountDecimals - currency.exponent());
  return divide(magnitude_of(amount.units), scale).remainder == 0;
}

std::string to_text(Amount amount, int minimum_decimals) {
  CHECK(minimum_decimals >= 0 && minimum_decimals <= kAmountDecimals);
  return units_to_text(amount.units, kAmountDecimals, minimum_decimals);
}

std::string to_text(const Money& money) { return to_text(money.amount, money.currency.exponent()); }

std::optional<Amount> round_to_minor_units(Amount amount, Currency currency, Rounding rounding) {
  const std::uint64_t scale = power_of_ten(kAmountDecimals - currency.exponent());
  auto [quotient, remainder] = divide(magnitude_of(amount.units), scale);
  if (rounds_away(rounding, amount.is_negative(), quotient % 2 != 0, remainder, scale)) ++quotient;
  // At most 2^127 + scale: no wrap before the check.
  const auto units = with_sign(quotient * scale, amount.is_negative());
  if (!units) return std::nullopt;
  return Amount{*units};
}

std::optional<Quantity> parse_quantity(std::string_view text) {
  const auto units = parse_units<kQuantityIntegerDigits, kQuantityDecimals>(text);
  if (!units) return std::nullopt;
  return Quantity{*units};
}

std::string to_text(Quantity quantity) {
  return units_to_text(quantity.units, kQuantityDecimals, 0);
}

std::optional<Amount> multiply(Amount price, Quantity quantity, Rounding rounding) {
  const bool negative = (price.units < 0) != (quantity.units < 0);
  const Uint256 product = multiply_wide(magnitude_of(price.units), magnitude_of(quantity.units));
  uint128 quotient = 0;
  std::uint64_t remainder = 0;
  if (product.high == 0) {
    const Quotient narrow = divide(product.low, kQuantityScale);
    quotient = narrow.quotient;
    remainder = narrow.remainder;
  } else {
    const WideQuotient wide = divide_wide(product, kQuantityScale);
    if (wide.quotient.high != 0) return std::nullopt;
    quotient = wide.quotient.low;
    remainder = wide.remainder;
  }
  if (rounds_away(rounding, negative, quotient % 2 != 0, remainder, kQuantityScale)) {
    if (++quotient == 0) return std::nullopt;
  }
  const auto units = with_sign(quotient, negative);
  if (!units) return std::nullopt;
  return Amount{*units};
}

}  // namespace daybook::domain
