#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/account.h"
#include "domain/base/result.h"
#include "domain/base/time.h"
#include "domain/money.h"
#include "domain/stream.h"
#include "domain/tenant.h"
#include "eventstore/command.h"
#include "eventstore/kv.h"

namespace daybook::projections {

/// The tables of the log index that the folds read.
struct StreamTables {
  eventstore::Table streams;
  eventstore::Table states;
};

/// Money rows of a stream, newest first.
struct TransactionsQuery {
  std::optional<domain::Currency> currency;     ///< Empty: all.
  std::optional<std::uint64_t> before_version;  ///< Versions below it; empty: from the newest.
  std::size_t limit = 50;
  std::size_t looked_at_max = 100'000;  ///< Events that one call looks at.
};
struct TransactionsPage {
  std::vector<eventstore::PlacedEventPtr> rows;  ///< Each has a balance_change_of.
  /// Go on with this as before_version; empty: there is no more. With it, a page may be short or
  /// even empty: the bound on events looked at was reached.
  std::optional<std::uint64_t> next_before;
};

/// A place on the effective axis of one stream.
struct StatementPlace {
  Instant effective_at;
  std::uint64_t version = 0;

  auto operator<=>(const StatementPlace&) const = default;
};
struct StatementQuery {
  domain::Currency currency;
  Instant from;                         ///< Included.
  Instant to;                           ///< Excluded.
  std::uint64_t upto_version = 0;       ///< Speaks for this version of the stream.
  std::size_t limit = 1'000;            ///< Lines of one page.
  std::optional<StatementPlace> after;  ///< Lines behind this one.
};
struct StatementLine {
  eventstore::PlacedEventPtr event;
  domain::Amount change;   ///< Signed.
  domain::Amount balance;  ///< On the effective axis, once this line counts.
};
/// For one upto_version: opening = closing of the statement that ends at `from`; closing = opening
/// + all changes of the period, on whichever page they are.
struct Statement {
  domain::Amount opening;
  domain::Amount closing;
  std::vector<StatementLine> lines;    ///< By (effective_at, version).
  std::optional<StatementPlace> next;  ///< Pass as `after` for the next page; empty: the last one.
};

struct EffectiveBalance {
  /// Of balance changes per currency, in the order in which they came to the account.
  std::vector<domain::Money> sums;
  /// The account was there by then, or a balance change counts, also where they sum to zero.
  bool counts_anything = false;
};

/// What a tenant says but for its keys, which only few ask for.
struct TenantTerms {
  std::uint64_t version = 0;  ///< Of the tenant's last event; 0: no such tenant.
  std::optional<std::string> name;
  domain::Catalogue catalogue;
};

/// One stream as the log index has it at the moment of a reader: pages, transactions, statements
/// and the past, all folds over its events. Pure reads; nothing is cached between calls.
///
/// Errors: kCorrupt when a row inside a range is missing or cannot be read: never skipped, never an
/// empty success. kInvalid when a sum on the effective axis does not fit 128 bits (the recorded
/// axis always fits). Memory: events go by one at a time; only what a `limit` bounds is kept.
/// Thread rule: as the reader, which must outlive it.
class StreamReader {
 public:
  StreamReader(const eventstore::KvReader& reader, StreamTables tables, domain::StreamId stream);

  /// Version of the newest event; 0: no such stream.
  Result<std::uint64_t> last_version() const;

  /// The event at a version; null beyond the last and for version 0.
  Result<eventstore::PlacedEventPtr> event_at(std::uint64_t version) const;

  /// Versions from..upto in order, at most `limit`. Empty if from > upto.
  /// REQUIRES: from > 0, limit > 0, upto <= last_version().
  Result<std::vector<eventstore::PlacedEventPtr>> events(std::uint64_t from, std::uint64_t upto,
                                                         std::size_t limit) const;

  /// Calls `visit` for versions from..upto in order until it fails. REQUIRES: as events().
  Status for_each(std::uint64_t from, std::uint64_t upto,
                  const std::function<Status(const eventstore::PlacedEventPtr&)>& visit) const;

  /// The recorded axis. REQUIRES: limit > 0, before_version <= last_version() + 1.
  Result<TransactionsPage> transactions(const TransactionsQuery& query) const;

  /// The effective axis. REQUIRES: an account stream, limit > 0, upto_version <= last_version().
  Result<Statement> statement(const StatementQuery& query) const;

  /// The newest version recorded at or before the time; 0: none was. 20 reads for a million events.
  Result<std::uint64_t> version_as_of(Instant recorded_by) const;
  /// The newest version at or before the position; 0: none is.
  Result<std::uint64_t> version_at_position(std::uint64_t position) const;

  /// The account once this version was recorded: the nearest snapshot and the events since. Without
  /// the snapshots the answer is the same, and later. REQUIRES: an account stream, version <=
  /// last_version().
  Result<domain::AccountState> state_at(std::uint64_t version) const;
  /// The same of a tenant. REQUIRES: a tenant's stream, version <= last_version().
  Result<domain::TenantState> tenant_at(std::uint64_t version) const;
  /// What tenant_at would say, in one read, however many keys there are. REQUIRES: as tenant_at.
  Result<TenantTerms> terms_at(std::uint64_t version) const;

  /// What of versions up to `upto_version` counts at or before the time. The account's own currency
  /// is always there. REQUIRES: as state_at, upto_version > 0.
  Result<EffectiveBalance> balance_effective(Instant effective_by,
                                             std::uint64_t upto_version) const;

 private:
  std::string row_key(std::uint64_t version) const;
  Status missing(std::uint64_t version) const;
  Status check_place(std::string_view key, std::uint64_t version) const;
  Result<eventstore::PlacedEventPtr> require(std::uint64_t version) const;
  Result<std::uint64_t> last_version_where(
      const std::function<bool(const eventstore::PlacedEvent&)>& holds) const;
  template <class State>
  Result<std::optional<State>> stored_state(std::uint64_t version) const;
  template <class State>
  Result<State> fold(std::uint64_t version) const;

  const eventstore::KvReader& reader_;
  StreamTables tables_;
  domain::StreamId stream_;
  std::string key_;  ///< stream_key of it.
};

}  // namespace daybook::projections
