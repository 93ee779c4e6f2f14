#pragma once

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
/// Stands on a durable KvStore of its own (`private/`: every write is synced).
/// Thread rule: any thread.
/// Crash: a value is durable before its event is submitted; one whose event never came is an orphan
/// that erase() removes.
class PrivateStore {
 public:
  static constexpr Table kSecrets = 0;
  static constexpr Table kValues = 1;
  static const std::vector<std::string>& table_names();

  PrivateStore(KvStore& store, const Random& random) : store_(store), random_(random) {}

  /// What to do about a secret that is not there.
  enum class Missing {
    kMake,    ///< A new ledger: of 32 random bytes.
    kRefuse,  ///< A ledger at work: its keys and fingerprints rest on it, so this is damage.
  };
  /// The secret of that name. Errors: kCorrupt: missing and refused; kIo.
  Result<std::string> secret(std::string_view name, Missing missing);

  /// Stores a value of an account and tells how events name it.
  Result<domain::PrivateValue> put(const TenantId& tenant, const AccountId& account,
                                   std::string_view value);

  /// The value, or none if it was erased. Corrupt if it does not fit its commitment.
  Result<std::optional<std::string>> get(const TenantId& tenant, const AccountId& account,
                                         const domain::PrivateValue& name) const;

  /// Removes one value: its command was refused.
  Status remove(const TenantId& tenant, const AccountId& account, const domain::PrivateValue& name);

  /// Removes all values of an account from every file of the store; returns how many. One that
  /// failed or was interrupted is completed by the next.
  Result<std::size_t> erase(const TenantId& tenant, const AccountId& account);

 private:
  KvStore& store_;
  const Random& random_;
};

}  // namespace daybook::eventstore
