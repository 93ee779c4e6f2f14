#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace daybook::domain {

/// An ISO 4217 currency code, three upper-case letters. The default value is no currency.
///
/// Stored form (docs/stored_format.md): the letters as a base-26 number plus one, 0 for none.
class Currency {
 public:
  Currency() = default;

  /// The currency of a code that ISO 4217 lists as active and gives an exponent (no XAU, no XTS).
  static std::optional<Currency> parse(std::string_view code);

  /// The code, "USD". REQUIRES: not the default value. The view lives as long as the program.
  std::string_view code() const;

  /// Decimals of the minor unit: 2 for USD, 0 for JPY, 3 for KWD. REQUIRES: not the default value.
  int exponent() const;

  std::uint16_t packed() const { return packed_; }
  /// The inverse of packed(); empty for a number that names no listed currency.
  static std::optional<Currency> unpack(std::uint16_t packed);

  bool is_none() const { return packed_ == 0; }
  auto operator<=>(const Currency&) const = default;

 private:
  explicit Currency(std::uint16_t packed) : packed_(packed) {}

  std::uint16_t packed_ = 0;
};

/// One row of the table behind Currency, for tests and documents.
struct CurrencyRow {
  std::string_view code;
  int exponent;
};

/// Every listed currency, ordered by code. Source: ISO 4217 list one as published on 2024-06-25,
/// and the codes added since. A code that ISO withdraws later stays: old events name it. A test
/// checks the exponents against an independent list.
std::span<const CurrencyRow> iso_4217();

}  // namespace daybook::domain
