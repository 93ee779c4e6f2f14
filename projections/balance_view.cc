#include "projections/balance_view.h"

#include <algorithm>
#include <string>

namespace daybook::projections {

using domain::Amount;

BalanceView balance_view(const domain::CurrencyBalance& balance,
                         const domain::Catalogue& catalogue) {
  const domain::EffectiveLimit limit = domain::effective_limit(balance, catalogue);
  BalanceView view;
  view.currency = balance.currency;
  view.balance = balance.balance;
  view.shown_balance = std::max(Amount{}, balance.balance);
  view.credit_limit = limit.amount;
  view.credit_limit_source = limit.source;
  view.credit_used = std::max(Amount{}, Amount{-balance.balance.units});
  view.held = balance.held;
  view.available = std::max(Amount{}, domain::available_of(balance, limit.amount));
  return view;
}

std::vector<BalanceView> balance_views(const std::vector<BalanceRow>& rows,
                                       const domain::Catalogue& catalogue) {
  std::vector<BalanceView> views;
  for (const BalanceRow& row : rows) {
    views.push_back(balance_view(row.balance, catalogue));
  }
  return views;
}

std::vector<BalanceView> balance_views(const domain::AccountState& state,
                                       const domain::Catalogue& catalogue) {
  std::vector<BalanceView> views;
  for (const domain::CurrencyBalance& balance : state.balances) {
    views.push_back(balance_view(balance, catalogue));
  }
  return views;
}

}  // namespace daybook::projections
