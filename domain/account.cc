#include "domain/account.h"

#include <algorithm>

#include "domain/base/check.h"

namespace daybook::domain {

std::string_view name_of(AccountStatus status) {
  switch (status) {
    case AccountStatus::kNone:
      return "none";
    case AccountStatus::kOpen:
      return "open";
    case AccountStatus::kFrozen:
      return "frozen";
    case AccountStatus::kClosed:
      return "closed";
  }
  CHECK(false);
}

CurrencyBalance balance_of(const AccountState& state, Currency currency) {
  for (const auto& balance : state.balances) {
    if (balance.currency == currency) return balance;
  }
  return {currency, {}, {}, {}};
}

EffectiveLimit effective_limit(const CurrencyBalance& balance, const Catalogue& catalogue) {
  if (balance.limit_override) return {*balance.limit_override, CreditLimitSource::kAccount};
  const CurrencyEntry* entry = catalogue.find(balance.currency);
  if (entry != nullptr && entry->default_credit_limit) {
    return {*entry->default_credit_limit, CreditLimitSource::kCurrencyDefault};
  }
  return {};
}

Amount available_of(const CurrencyBalance& balance, Amount limit) {
  // Limit and holds are not negative: the first step goes towards zero and always fits.
  const bool is_negative = balance.balance.is_negative();
  const auto first = is_negative ? checked_add(balance.balance, limit)
                                 : checked_subtract(balance.balance, balance.held);
  const auto available = !first        ? std::nullopt
                         : is_negative ? checked_subtract(*first, balance.held)
                                       : checked_add(*first, limit);
  return available.value_or(Amount{is_negative ? -kInt128Max : kInt128Max});
}

std::vector<Event> settle(const AccountState& state, const Catalogue& catalogue, Instant now) {
  std::vector<const OpenHold*> due;
  for (const auto& hold : state.holds) {
    if (hold.expires_at && *hold.expires_at <= now) due.push_back(&hold);
  }
  if (due.empty()) return {};
  std::sort(due.begin(), due.end(), [](const OpenHold* left, const OpenHold* right) {
    return std::pair(*left->expires_at, left->version) <
           std::pair(*right->expires_at, right->version);
  });
  due.resize(std::min(due.size(), kSettledPerDecision));

  std::vector<Event> events;
  std::vector<CurrencyBalance> working = state.balances;
  for (const OpenHold* hold : due) {
    const auto balance =
        std::find_if(working.begin(), working.end(), [&](const CurrencyBalance& candidate) {
          return candidate.currency == hold->amount.currency;
        });
    CHECK(balance != working.end());
    balance->held = *checked_subtract(balance->held, hold->amount.amount);
    const Amount limit = effective_limit(*balance, catalogue).amount;
    const Amount available = available_of(*balance, limit);
    const Currency currency = hold->amount.currency;
    events.emplace_back(HoldExpired{{hold->version},
                                    hold->amount,
                                    *hold->expires_at,
                                    {balance->held, currency},
                                    {std::max(available, Amount{}), currency}});
  }
  return events;
}

}  // namespace daybook::domain
