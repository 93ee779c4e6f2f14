#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "domain/base/result.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/kv.h"
#include "eventstore/stream_key.h"
#include "projections/general_ledger.h"
#include "projections/row_cache.h"
#include "replay/event_check.h"

namespace daybook::replay {

/// What is wrong, and at which position.
struct PlacedFinding {
  Finding finding;
  std::string where;
};

/// What the audit keeps of a stream: the state of an account or tenant, the version of others.
struct StreamRow {
  std::variant<domain::AccountState, domain::TenantState, std::uint64_t> state;
};
std::string encode_row(const StreamRow& row);
bool decode_row(std::string_view bytes, StreamRow& row);

/// What is left to be given back of a charge, a capture or a top-up.
struct RefundableRow {
  domain::Money amount;
  domain::Amount given_back;
  bool is_top_up = false;
};

/// Follows a log from its first entry and computes anew: bytes, versions, times, postings and the
/// numbers of events (replay/event_check.h); what is given back of a charge or a top-up; that an
/// idempotency key has one event on a stream, and that a provider payment is claimed once, by the
/// event directly before its top-up. Independent of what any table says.
///
/// Memory is bounded by its caches; the rest is in two tables of a scratch store.
/// Thread rule: one thread. After a finding or an error it is of no further use.
class LogAudit {
 public:
  struct Tables {
    eventstore::Table streams;
    eventstore::Table refundables;
    eventstore::Table keys;
  };
  struct Totals {
    std::uint64_t entries = 0;
    std::uint64_t events = 0;
    std::uint64_t streams = 0;
    std::map<domain::Currency, projections::LedgerSums> postings;
  };

  LogAudit(eventstore::KvStore& scratch, Tables tables)
      : scratch_(scratch), tables_(tables), streams_(scratch, tables.streams) {}

  /// Takes the next entry. Errors: those of the scratch store.
  Result<std::optional<PlacedFinding>> take(const eventstore::DecodedEntry& decoded);

  /// Writes what is kept in memory to the scratch store. Call every some ten thousand events.
  Status finish_batch();

  const Totals& totals() const { return totals_; }

 private:
  std::optional<Finding> check_time(const eventstore::DecodedEntry& decoded, std::size_t i) const;
  std::optional<Finding> check_claim(const domain::RecordedEvent& event);
  Result<std::optional<Finding>> check_key(const domain::RecordedEvent& event);
  Result<std::optional<Finding>> check_stream(const domain::RecordedEvent& event);
  Result<std::optional<Finding>> check_adopted(const domain::RecordedEvent& event);
  Result<std::optional<Finding>> check_account(StreamRow& row, const domain::RecordedEvent& event);
  Result<std::optional<Finding>> check_refund(const domain::RecordedEvent& event);
  Result<std::optional<RefundableRow>> refundable(const std::string& key);
  void count(const domain::RecordedEvent& event);

  eventstore::KvStore& scratch_;
  Tables tables_;
  projections::RowCache<StreamRow> streams_;
  std::unordered_map<std::string, RefundableRow> refundables_;
  std::unordered_set<eventstore::LookupKey, eventstore::LookupKeyHash> keys_;
  std::optional<domain::RecordedEvent> claim_;  ///< The event before, if it claims a payment.
  Instant last_recorded_at_;
  Totals totals_;
};

}  // namespace daybook::replay
