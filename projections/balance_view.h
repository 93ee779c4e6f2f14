#pragma once

#include <vector>

#include "domain/account.h"
#include "domain/catalogue.h"
#include "projections/balances.h"

namespace daybook::projections {

/// The public numbers of one currency of an account (GET balance), all in that currency.
struct BalanceView {
  domain::Currency currency;
  domain::Amount balance;        ///< Signed.
  domain::Amount shown_balance;  ///< max(0, balance).
  domain::Amount credit_limit;   ///< In force.
  domain::CreditLimitSource credit_limit_source = domain::CreditLimitSource::kNone;
  domain::Amount credit_used;  ///< max(0, -balance).
  domain::Amount held;
  domain::Amount unbilled;    ///< Zero: every charge is posted as it comes.
  domain::Amount receivable;  ///< Zero: there are no invoices.
  domain::Amount available;   ///< max(0, domain::available_of).

  bool operator==(const BalanceView&) const = default;
};

/// The one definition of those numbers. Pure.
BalanceView balance_view(const domain::CurrencyBalance& balance,
                         const domain::Catalogue& catalogue);

/// Of rows of the read model, and of a state (reads of the past): in their order.
std::vector<BalanceView> balance_views(const std::vector<BalanceRow>& rows,
                                       const domain::Catalogue& catalogue);
std::vector<BalanceView> balance_views(const domain::AccountState& state,
                                       const domain::Catalogue& catalogue);

}  // namespace daybook::projections
