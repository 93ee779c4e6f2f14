#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "domain/event.h"
#include "domain/money.h"

/// Double entry, derived: which postings an event makes between ledger accounts (docs/events.md).
namespace daybook::domain {

/// The version that is written into new events; older events keep booking by the rules of theirs.
inline constexpr std::uint16_t kPostingRulesVersion = 1;

/// A bucket in the chart of accounts. These numbers are the stored format of the general ledger.
enum class LedgerAccount : std::uint8_t {
  kCustomerBalance = 0,  ///< Liability: what the customers have paid in and not used.
  kPaymentClearing = 1,  ///< Asset: money at the payment providers.
  kRevenue = 2,          ///< Revenue: charges.
  kCreditNotes = 3,      ///< Contra-revenue: credit notes.
  kAdjustments = 4,      ///< Contra-revenue: adjustments.
};
std::string_view name_of(LedgerAccount account);

/// One line of a journal entry. Positive is a debit, negative a credit.
struct Posting {
  LedgerAccount account = LedgerAccount::kCustomerBalance;
  Money amount;

  bool operator==(const Posting&) const = default;
};

/// The journal entry of an event: balanced per currency, empty where no money moves.
/// REQUIRES: rules_version <= kPostingRulesVersion.
std::vector<Posting> postings_of(const Event& event, std::uint16_t rules_version);

/// How an event changes the customer's balance: signed, none where no money moves.
std::optional<Money> balance_change_of(const Event& event);

/// The balance that an event left behind; none where it did not touch the balance.
std::optional<Money> balance_after_of(const Event& event);

}  // namespace daybook::domain
