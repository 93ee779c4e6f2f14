#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "domain/base/result.h"
#include "domain/event.h"
#include "eventstore/event_log.h"
#include "eventstore/kv.h"

namespace daybook::replay {

/// Which private values a log names and its private store does not hold: the one rule of verify and
/// backup. An erasure takes what its account named before it, so that may be gone; what is named
/// after it must be there. A value that was erased and is still there is no fault: the store
/// follows the log, and may be behind.
///
/// A store that is read after the log, beside a server, may lack what an erasure beyond the log's
/// end took: see settle_beyond.
///
/// Bounds: accounts that miss something at one position, some 300 bytes of memory for each.
/// Thread rule: one thread.
class MissingValues {
 public:
  static constexpr std::size_t kAccountsMax = 1'000'000;

  /// `store`: the tables of a PrivateStore, which outlives this; null: nothing is there.
  explicit MissingValues(eventstore::KvStore* store, std::size_t accounts_max = kAccountsMax)
      : store_(store), accounts_max_(accounts_max) {}

  /// The next event of the log. Whether it names a value that is there.
  /// Errors: kCorrupt: a value that does not fit its commitment; kIo, also beyond the bound.
  Result<bool> take(const domain::RecordedEvent& event);

  bool none() const { return accounts_.empty(); }
  /// How many are missing.
  std::uint64_t count() const;
  /// Where the first one of an account was named, as place_of. REQUIRES: !none().
  const std::string& example() const;

  /// `tag plan of account north/a, version 3`
  static std::string place_of(const domain::RecordedEvent& event);

 private:
  struct Account {
    std::string first;
    std::uint64_t count = 0;
  };

  eventstore::KvStore* store_;
  std::size_t accounts_max_;
  std::map<domain::StreamId, Account> accounts_;
};

/// Reads on where `head` ends, in the same log opened anew after the private store was, until
/// nothing is missing: every erasure that the store has applied is in it. What is then still
/// missing was lost, or a read-only view of a living store has passed it by.
/// `taken` is given each entry that was read, in order.
/// Errors: kCorrupt: the log does not go on from `head`; those of the log, of take() and of
/// `taken`.
Status settle_beyond(const eventstore::EventLog& log, eventstore::LogHead head,
                     MissingValues& missing,
                     const std::function<Status(const eventstore::Entry&)>& taken = {});

}  // namespace daybook::replay
