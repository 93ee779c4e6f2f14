#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/base/result.h"
#include "domain/posting_rules.h"
#include "eventstore/kv.h"
#include "projections/row_projection.h"
#include "projections/wide_sum.h"

namespace daybook::projections {

/// Sums of what was posted; both exact, neither negative.
struct LedgerSums {
  WideSum debits;
  WideSum credits;

  void add(const domain::Amount& posted);
  void add(const LedgerSums& other);
  bool operator==(const LedgerSums&) const = default;
};

std::string encode_row(const LedgerSums& row);
bool decode_row(std::string_view bytes, LedgerSums& row);

/// Table `general_ledger`: tenant NUL, ledger account (one byte), currency code, sortable UTC day
/// of effective_at -> LedgerSums. The day is when the money counts, so a late event changes an old
/// day.
class GeneralLedger final : public RowProjection<LedgerSums> {
 public:
  GeneralLedger(const eventstore::KvStore& store, eventstore::Table table)
      : RowProjection("general_ledger", 1, store, table) {}

  Status apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) override;

 private:
  Status apply_event(const domain::RecordedEvent& event);
};

/// What one ledger account took in one currency.
struct LedgerTotal {
  domain::LedgerAccount account = domain::LedgerAccount::kCustomerBalance;
  domain::Currency currency;
  LedgerSums opening;  ///< Before the days; nothing where they begin with the first.
  LedgerSums sums;     ///< In them.

  bool operator==(const LedgerTotal&) const = default;
};

/// What all ledger accounts took in one currency.
struct CurrencyTotal {
  domain::Currency currency;
  LedgerSums sums;
  LedgerSums opening = {};  ///< As in LedgerTotal.

  /// Debits equal credits. Always, or the books are wrong.
  bool is_balanced() const { return sums.debits == sums.credits; }
  bool operator==(const CurrencyTotal&) const = default;
};

struct TrialBalance {
  std::vector<LedgerTotal> accounts;      ///< By ledger account, then currency code.
  std::vector<CurrencyTotal> currencies;  ///< By currency.
};

/// Days of UTC as in utc_day_of; both ends included, an empty one is open.
struct DayRange {
  std::optional<std::int64_t> first;
  std::optional<std::int64_t> last;
};

/// Debits less credits, signed, in the form of domain::to_text(Amount).
std::string net_text(const LedgerSums& sums, int minimum_decimals);

/// The tenant's totals over the days, and before them. Reads one row per ledger account, currency
/// and day. Thread rule: as the reader.
Result<TrialBalance> trial_balance(const eventstore::KvReader& reader, eventstore::Table table,
                                   const TenantId& tenant, DayRange days = {});

}  // namespace daybook::projections
