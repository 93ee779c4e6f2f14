#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/base/int128.h"
#include "domain/currency.h"

namespace daybook::domain {

/// Decimals that an amount keeps: real cloud invoices carry 11 (docs/decisions.md).
inline constexpr int kAmountDecimals = 12;
/// Digits before the point that input may have; 26 + 12 decimals still fit 127 bits.
inline constexpr int kAmountIntegerDigits = 26;

/// An exact amount: a signed 128-bit count of 10^-12 of the currency unit. No float ever touches
/// it.
struct Amount {
  int128 units = 0;

  auto operator<=>(const Amount&) const = default;
  bool is_zero() const { return units == 0; }
  bool is_negative() const { return units < 0; }
  bool is_positive() const { return units > 0; }
};

/// The least amount with more than so many digits before the point. REQUIRES: at most 26.
constexpr Amount end_of_digits(int integer_digits) {
  Amount end{1};
  for (int i = 0; i < integer_digits + kAmountDecimals; ++i) end.units *= 10;
  return end;
}

/// Sums that would not fit give nothing; the caller answers 422, never a wrapped number.
std::optional<Amount> checked_add(Amount left, Amount right);
std::optional<Amount> checked_subtract(Amount left, Amount right);
std::optional<Amount> checked_negate(Amount amount);

/// Reads `-?[0-9]{1,26}(\.[0-9]{1,12})?`; nothing for any other text. "-0" is zero.
std::optional<Amount> parse_amount(std::string_view text);

/// True if the amount is a whole number of the currency's minor unit (payments and documents are).
bool is_whole_minor_units(Amount amount, Currency currency);

/// Text with at least `minimum_decimals` and at most 12 decimals and no superfluous zero:
/// "100.00", "0.0000008", "-400.00", and "5" for minimum 0. REQUIRES: 0 <= minimum_decimals <= 12.
/// Below 10^26 units of currency parse_amount() reads it back; a sum beyond that has 27 digits.
std::string to_text(Amount amount, int minimum_decimals);

/// An amount in a currency. Two currencies never meet in one sum.
struct Money {
  Amount amount;
  Currency currency;

  auto operator<=>(const Money&) const = default;
};

/// The amount as text with the digits of its currency, without the code. REQUIRES: a currency.
std::string to_text(const Money& money);

/// How the one rounding of a value to fewer decimals is done; always named at the call. A half goes
/// to the even neighbour (kHalfEven) or away from zero, whatever the sign (kHalfUp).
enum class Rounding { kHalfEven, kHalfUp, kTowardZero, kFloor, kCeiling };

/// `amount` rounded to the currency's minor unit. The caller records the difference.
/// Nothing if the result does not fit.
std::optional<Amount> round_to_minor_units(Amount amount, Currency currency, Rounding rounding);

/// Decimals that a quantity keeps.
inline constexpr int kQuantityDecimals = 18;
/// Digits before the point that input may have; 20 + 18 decimals still fit 127 bits.
inline constexpr int kQuantityIntegerDigits = 20;

/// An exact quantity: a signed 128-bit count of 10^-18 of its unit.
struct Quantity {
  int128 units = 0;

  auto operator<=>(const Quantity&) const = default;
};

/// Reads `-?[0-9]{1,20}(\.[0-9]{1,18})?`; nothing for any other text.
std::optional<Quantity> parse_quantity(std::string_view text);
/// No superfluous zeros: "2", "0.002007490000000001".
std::string to_text(Quantity quantity);

/// price x quantity, exact to 256 bits, then rounded once to 10^-12. Nothing if it does not fit.
std::optional<Amount> multiply(Amount price, Quantity quantity, Rounding rounding);

}  // namespace daybook::domain
