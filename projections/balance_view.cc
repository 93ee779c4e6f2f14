#include "projections/balance_view.h"

#include <algorithm>
#include <string>

namespace daybook::projections {

using domain::Amount;

Result<BalanceView> balance_view(const domain::CurrencyBalance& balance,
                                 const domain::Catalogue& catalogue) {
  const domain::EffectiveLimit limit = domain::effective_limit(balance, catalogue);
  const auto available = domain::available_of(balance, limit.amount);
  const auto owed = domain::checked_negate(balance.balance);
  if (!available || !owed) {
    return invalid("available in " + std::string(balance.currency.code()) +
                   " does not fit 128 bits");
  }
  BalanceView view;
  view.currency = balance.currency;
  view.balance = balance.balance;
  view.shown_balance = std::max(Amount{}, balance.balance);
  view.credit_limit = limit.amount;
  view.credit_limit_source = limit.source;
  view.credit_used = std::max(Amount{}, *owed);
  view.held = balance.held;
  view.available = std::max(Amount{}, *available);
  return view;
}

Result<std::vector<BalanceView>> balance_views(const std::vector<BalanceRow>& rows,
                                               const domain::Catalogue& catalogue) {
  std::vector<BalanceView> views;
  for (const BalanceRow& row : rows) {
    auto view = balance_view(row.balance, catalogue);
    if (!view.ok()) return view.status();
    views.push_back(*view);
  }
  return views;
}

Result<std::vector<BalanceView>> balance_views(const domain::AccountState& state,
                                               const domain::Catalogue& catalogue) {
  std::vector<BalanceView> views;
  for (const domain::CurrencyBalance& balance : state.balances) {
    auto view = balance_view(balance, catalogue);
    if (!view.ok()) return view.status();
    views.push_back(*view);
  }
  return views;
}

}  // namespace daybook::projections
