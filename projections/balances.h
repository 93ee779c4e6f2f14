#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/account.h"
#include "domain/base/result.h"
#include "eventstore/kv.h"
#include "projections/row_projection.h"

namespace daybook::projections {

/// What an account holds in one currency, as of the position up to which the table was folded.
struct BalanceRow {
  domain::CurrencyBalance balance;
  std::uint64_t first_version = 0;  ///< Of the event that brought the currency to the account.
  std::uint64_t position = 0;       ///< Of the last event that changed the row.

  bool operator==(const BalanceRow&) const = default;
};

/// Table `balances`: tenant NUL account NUL currency code -> BalanceRow.
class Balances final : public RowProjection<BalanceRow> {
 public:
  Balances(const eventstore::KvStore& store, eventstore::Table table)
      : RowProjection("balances", 1, store, table) {}

  Status apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) override;

 private:
  Status apply_event(const eventstore::DecodedEntry& entry, std::size_t index);
};

std::string encode_row(const BalanceRow& row);
bool decode_row(std::string_view bytes, BalanceRow& row);

/// All currencies of an account in the order in which they came, so its own first; empty if there
/// is no such account. Thread rule: as the reader.
Result<std::vector<BalanceRow>> balances_of(const eventstore::KvReader& reader,
                                            eventstore::Table table, const TenantId& tenant,
                                            const AccountId& account);

}  // namespace daybook::projections
