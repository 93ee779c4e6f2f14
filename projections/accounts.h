#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/account.h"
#include "domain/base/result.h"
#include "eventstore/kv.h"
#include "projections/row_projection.h"

namespace daybook::projections {

/// A tag as a list shows it. Private extras are not in the read model.
struct TagRow {
  std::optional<std::string> service;  ///< Absent: a tag of the account itself.
  std::string name;
  std::optional<std::string> value;  ///< Absent: explicitly off.

  bool operator==(const TagRow&) const = default;
};

/// The current values of an account, without its money.
struct AccountRow {
  domain::Currency currency;
  domain::AccountMode mode = domain::AccountMode::kPrepaid;
  domain::AccountStatus status = domain::AccountStatus::kNone;
  std::uint64_t version = 0;
  Instant opened_at;
  std::vector<TagRow> tags;    ///< By (service, name).
  std::uint64_t position = 0;  ///< Of the account's last event.

  bool operator==(const AccountRow&) const = default;
};

/// Table `accounts`: tenant NUL account NUL -> AccountRow.
class Accounts final : public RowProjection<AccountRow> {
 public:
  Accounts(const eventstore::KvStore& store, eventstore::Table table)
      : RowProjection("accounts", 2, store, table) {}

  Status apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) override;
};

std::string encode_row(const AccountRow& row);
std::size_t held_bytes(const AccountRow& row);
bool decode_row(std::string_view bytes, AccountRow& row);

/// One account; empty if there is none.
Result<std::optional<AccountRow>> account_of(const eventstore::KvReader& reader,
                                             eventstore::Table table, const TenantId& tenant,
                                             const AccountId& account);

/// What a list keeps: accounts with this status and with all of these (name, value) among the tags
/// of the account itself.
struct AccountFilter {
  std::vector<std::pair<std::string, std::string>> tags;
  std::optional<domain::AccountStatus> status;
};

bool matches(const AccountRow& row, const AccountFilter& filter);

struct AccountPage {
  std::vector<std::pair<AccountId, AccountRow>> rows;
  /// Go on after this id; empty: there is no more. With it, a page may be short or even empty: the
  /// bound on rows looked at was reached.
  std::optional<AccountId> next;
};

/// Rows that one call looks at.
inline constexpr std::size_t kAccountsLookedAtMax = 100'000;

/// The tenant's accounts in the order of their ids' bytes, those after `after`, at most `limit`.
/// REQUIRES: limit > 0. Thread rule: as the reader.
Result<AccountPage> list_accounts(const eventstore::KvReader& reader, eventstore::Table table,
                                  const TenantId& tenant, const AccountFilter& filter,
                                  const std::optional<AccountId>& after, std::size_t limit,
                                  std::size_t looked_at_max = kAccountsLookedAtMax);

}  // namespace daybook::projections
