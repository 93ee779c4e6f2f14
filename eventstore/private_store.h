#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/account_events.h"
#include "domain/base/random.h"
#include "domain/base/result.h"
#include "domain/base/strong_id.h"
#include "eventstore/kv.h"

namespace daybook::eventstore {

/// What must not be in the log: the ledger's secrets, and values that may name a person. An event
/// carries a reference and a salted commitment; erasing the value leaves the log as it was, and the
/// commitment says nothing without the salt.
///
/// A value is *pending* until an event names it; whoever follows the log says which do
/// (projections/private_follower.h). Erasing takes the values that were named before a position and
/// no others, so it may be done again at any time.
///
/// Stands on a durable KvStore of its own (`private/`: every write is synced, all tables of a batch
/// stand or fall together). Layout: docs/stored_format.md.
/// Thread rule: any thread. What follows from the log: by the one that follows it.
/// Crash: a value is durable before its event is submitted; one whose event never came stays
/// pending and is removed at the next opening.
class PrivateStore {
 public:
  static constexpr Table kSecrets = 0;
  static constexpr Table kValues = 1;
  static constexpr Table kNamed = 2;    ///< Key of a value -> position of the event that names it.
  static constexpr Table kPending = 3;  ///< Keys of values that no event has named yet.
  static const std::vector<std::string>& table_names();

  PrivateStore(KvStore& store, const Random& random) : store_(store), random_(random) {}

  /// The ledger's secrets by name.
  static constexpr std::string_view kApiKeysSecret = "api-keys";
  static constexpr std::string_view kFingerprintsSecret = "fingerprints";
  static constexpr std::string_view kCursorsSecret = "cursors";

  enum class IfMissing {
    kMake,     ///< 32 random bytes, made once: a new ledger.
    kCorrupt,  ///< The ledger has events that rest on it: it was lost.
  };
  /// The secret of that name.
  Result<std::string> secret(std::string_view name, IfMissing if_missing);

  struct Value {
    TenantId tenant;
    AccountId account;
    std::string_view text;
  };
  /// Stores values and tells, in their order, how events name them. One write and one sync for all:
  /// they are durable together, or none is there.
  Result<std::vector<domain::PrivateValue>> put(const std::vector<Value>& values);
  Result<domain::PrivateValue> put(const TenantId& tenant, const AccountId& account,
                                   std::string_view value);

  /// The value, or none if it was erased. Corrupt if it does not fit its commitment.
  Result<std::optional<std::string>> get(const TenantId& tenant, const AccountId& account,
                                         const domain::PrivateValue& name) const;

  // --- What follows from the log ---

  /// Everything before this position of the log was applied here. Empty: never, or a copy.
  Result<std::optional<std::uint64_t>> applied() const;
  Status set_applied(std::uint64_t position);

  /// Makes every value pending: the log is going to be read from its beginning.
  Status begin_anew();

  struct Named {
    TenantId tenant;
    AccountId account;
    std::string reference;
    std::uint64_t position = 0;  ///< Of the event that names it.
  };
  /// Those that are there are pending no longer.
  Status name(const std::vector<Named>& values);

  /// Removes the values of an account that were named before `position`; returns how many. They
  /// are in no file any more after purge().
  Result<std::size_t> erase(const TenantId& tenant, const AccountId& account,
                            std::uint64_t position);

  /// Keys of at most `limit` pending values.
  Result<std::vector<std::string>> pending(std::size_t limit) const;
  static std::string key_of(const TenantId& tenant, const AccountId& account,
                            std::string_view reference);
  /// Removes pending values but keeps their marks, so that a crash before purge() is noticed.
  Status drop(const std::vector<std::string>& keys);
  /// Removes the marks.
  Status forget(const std::vector<std::string>& keys);

  /// When this answers OK, no file holds a value that was removed before.
  Status purge();

 private:
  KvStore& store_;
  const Random& random_;
  std::mutex secrets_mutex_;
};

}  // namespace daybook::eventstore
