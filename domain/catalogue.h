#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "domain/money.h"
#include "domain/tenant_events.h"

namespace daybook::domain {

/// Digits before the point that a credit limit may have: one less than a balance, so that balance
/// + limit - holds always fits 128 bits, whatever the order in which they were set.
inline constexpr int kCreditLimitIntegerDigits = kAmountIntegerDigits - 1;
inline constexpr Amount kCreditLimitEnd = end_of_digits(kCreditLimitIntegerDigits);

/// What a tenant says of one currency.
struct CurrencyEntry {
  Currency currency;
  std::optional<Amount> default_credit_limit;
  std::optional<Amount> minimum_top_up;
  CurrencyStatus status = CurrencyStatus::kActive;

  bool operator==(const CurrencyEntry&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(currency, default_credit_limit, minimum_top_up, status);
  }
};

/// The tenant's terms at one version. Every ISO 4217 currency works without an entry: limit 0, no
/// minimum, active.
struct Catalogue {
  std::uint64_t version = 0;
  std::vector<CurrencyEntry> currencies;  ///< By currency.

  const CurrencyEntry* find(Currency currency) const {
    for (const auto& entry : currencies) {
      if (entry.currency == currency) return &entry;
    }
    return nullptr;
  }
  bool operator==(const Catalogue&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, currencies);
  }
};

}  // namespace daybook::domain
