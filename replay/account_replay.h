#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/account.h"
#include "domain/base/result.h"
#include "eventstore/event_log.h"
#include "projections/balance_view.h"

namespace daybook::replay {

struct ReplayQuery {
  AccountId account;
  std::optional<TenantId> tenant;               ///< Empty: the one that has such an account.
  std::optional<Instant> as_of;                 ///< What was recorded by then, inclusive.
  std::optional<std::uint64_t> as_of_position;  ///< Inclusive. REQUIRES: not both.
};

/// An account folded from the log alone.
struct AccountReplay {
  TenantId tenant;
  AccountId account;
  domain::AccountState state;
  std::vector<projections::BalanceView> balances;  ///< As GET balance, by the terms of the point.
  std::uint32_t generation = 0;
  /// What it speaks for: the log's last event now; for the past, the account's last event by then.
  std::uint64_t position = 0;
  /// What it was asked for, and up to when nothing is recorded any more.
  std::optional<Instant> as_of;
  Instant closed;

  /// Nothing can change it any more. Not so as of a moment after `closed`: a server that has the
  /// ledger open may have decided something by then that it has not committed, and a crash may
  /// leave an entry that the next start accepts.
  bool is_final() const { return !as_of || *as_of <= closed; }
};

/// Reads the log of `dir` from its first entry, also beside a server; opens no table.
/// Memory: one entry, the account, and the terms of the tenants. Thread rule: any thread.
/// Errors: kNotFound: no such ledger or account, or "not yet": there is one, and later than the
/// point; kConflict: several tenants have such an account and none was named; kInvalid: a position
/// that the log does not have, or a sum that does not fit; kCorrupt; kIo.
Result<AccountReplay> replay_account(const std::string& dir, const ReplayQuery& query);
/// The same of an open log.
Result<AccountReplay> replay_account(const eventstore::EventLog& log, const ReplayQuery& query);

/// `{"account":…,"balances":[… as in GET balance …],"position":…,"tags":{…},"version":…}`; tags and
/// services as in GET account, without private parts. As of a time besides `"final":…`.
std::string to_json(const AccountReplay& replay);
std::string to_text(const AccountReplay& replay);

/// One currency of an account as GET balance and `daybook replay` show it.
std::string balance_json(const projections::BalanceView& view);

}  // namespace daybook::replay
