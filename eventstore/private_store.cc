#include "eventstore/private_store.h"

#include "eventstore/digest.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kReferenceBytes = 16;
constexpr std::size_t kSaltBytes = 32;
/// There from the removal of values until they are in no file any more. No secret has this name.
constexpr std::string_view kPurgePending = "purge-pending";

std::string account_prefix(const TenantId& tenant, const AccountId& account) {
  std::string prefix = tenant.value();
  prefix.push_back('\0');
  prefix += account.value();
  prefix.push_back('\0');
  return prefix;
}

/// The first key after all that start with the prefix. REQUIRES: it ends with NUL.
std::string prefix_end(std::string prefix) {
  prefix.back() = '\x01';
  return prefix;
}

std::string commitment_of(std::string_view salt, std::string_view value) {
  return std::string(bytes_of(sha256({salt, value})));
}

}  // namespace

const std::vector<std::string>& PrivateStore::table_names() {
  static const std::vector<std::string> names{"secrets", "values"};
  return names;
}

Result<std::string> PrivateStore::secret(std::string_view name, Missing missing) {
  auto known = store_.get(kSecrets, name);
  if (!known.ok()) return known.status();
  if (*known) return std::move(**known);
  if (missing == Missing::kRefuse) {
    return corrupt("the secret " + std::string(name) + " of this ledger is gone");
  }
  std::string fresh = random_.bytes(kSecretBytes);
  KvBatch batch;
  batch.put(kSecrets, std::string(name), fresh);
  Status status = store_.write(batch);
  if (!status.ok()) return status;
  return fresh;
}

Result<domain::PrivateValue> PrivateStore::put(const TenantId& tenant, const AccountId& account,
                                               std::string_view value) {
  const std::string salt = random_.bytes(kSaltBytes);
  domain::PrivateValue name{random_.bytes(kReferenceBytes), commitment_of(salt, value)};
  KvBatch batch;
  batch.put(kValues, account_prefix(tenant, account) + name.reference, salt + std::string(value));
  Status status = store_.write(batch);
  if (!status.ok()) return status;
  return name;
}

Result<std::optional<std::string>> PrivateStore::get(const TenantId& tenant,
                                                     const AccountId& account,
                                                     const domain::PrivateValue& name) const {
  auto row = store_.get(kValues, account_prefix(tenant, account) + name.reference);
  if (!row.ok()) return row.status();
  if (!*row) return std::optional<std::string>();
  const std::string_view stored = **row;
  if (stored.size() < kSaltBytes ||
      commitment_of(stored.substr(0, kSaltBytes), stored.substr(kSaltBytes)) != name.commitment) {
    return corrupt("a private value does not fit the commitment in its event");
  }
  return std::optional(std::string(stored.substr(kSaltBytes)));
}

Status PrivateStore::remove(const TenantId& tenant, const AccountId& account,
                            const domain::PrivateValue& name) {
  KvBatch batch;
  batch.erase(kValues, account_prefix(tenant, account) + name.reference);
  return store_.write(batch);
}

Result<std::size_t> PrivateStore::erase(const TenantId& tenant, const AccountId& account) {
  const std::string prefix = account_prefix(tenant, account);
  KvBatch batch;
  {
    const auto snapshot = store_.snapshot();
    const auto cursor = snapshot->scan(kValues, prefix, prefix_end(prefix));
    for (; cursor->valid(); cursor->next()) batch.erase(kValues, std::string(cursor->key()));
    if (!cursor->status().ok()) return cursor->status();
  }
  const std::size_t values = batch.operations().size();
  if (values == 0) {
    // The rows may be gone since an attempt that did not get to rewriting the files.
    auto pending = store_.get(kSecrets, kPurgePending);
    if (!pending.ok()) return pending.status();
    if (!*pending) return values;
  }
  batch.put(kSecrets, std::string(kPurgePending), "");
  Status status = store_.write(batch);
  if (status.ok()) status = store_.purge(kValues);
  if (!status.ok()) return status;
  KvBatch done;
  done.erase(kSecrets, std::string(kPurgePending));
  status = store_.write(done);
  if (!status.ok()) return status;
  return values;
}

}  // namespace daybook::eventstore
