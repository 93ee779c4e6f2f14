#include "eventstore/private_store.h"

#include "eventstore/digest.h"
#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kReferenceBytes = 16;
constexpr std::size_t kSaltBytes = 32;
constexpr std::size_t kRowsAtOnce = 1'000;
/// No key of a value begins with NUL: a tenant has a name.
constexpr std::string_view kAppliedKey{"\0applied", 8};

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

std::string position_row(std::uint64_t position) {
  std::string row;
  WireWriter(row).varint(position);
  return row;
}

Result<std::optional<std::uint64_t>> position_of(std::string_view row) {
  WireReader wire(row);
  const std::uint64_t position = wire.varint();
  if (!wire.ok() || !wire.at_end()) return corrupt("a position in the private store is malformed");
  return std::optional(position);
}

std::string commitment_of(std::string_view salt, std::string_view value) {
  return std::string(bytes_of(sha256({salt, value})));
}

}  // namespace

const std::vector<std::string>& PrivateStore::table_names() {
  static const std::vector<std::string> names{"secrets", "values", "named", "pending"};
  return names;
}

Result<std::string> PrivateStore::secret(std::string_view name, IfMissing if_missing) {
  const std::lock_guard lock(secrets_mutex_);
  auto known = store_.get(kSecrets, name);
  if (!known.ok()) return known.status();
  if (*known) return std::move(**known);
  if (if_missing == IfMissing::kCorrupt) {
    return corrupt("the private store has lost the secret \"" + std::string(name) +
                   "\", on which events of the log rest: put the private store back from a backup");
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
  auto names = put({Value{tenant, account, value}});
  if (!names.ok()) return names.status();
  return std::move(names->front());
}

Result<std::vector<domain::PrivateValue>> PrivateStore::put(const std::vector<Value>& values) {
  std::vector<domain::PrivateValue> names;
  KvBatch batch;
  for (const Value& value : values) {
    const std::string salt = random_.bytes(kSaltBytes);
    names.push_back({random_.bytes(kReferenceBytes), commitment_of(salt, value.text)});
    const std::string key = key_of(value.tenant, value.account, names.back().reference);
    batch.put(kPending, key, "");
    batch.put(kValues, key, salt + std::string(value.text));
  }
  Status status = batch.empty() ? Status() : store_.write(batch);
  if (!status.ok()) return status;
  return names;
}

Result<std::optional<std::string>> PrivateStore::get(const TenantId& tenant,
                                                     const AccountId& account,
                                                     const domain::PrivateValue& name) const {
  auto row = store_.get(kValues, key_of(tenant, account, name.reference));
  if (!row.ok()) return row.status();
  if (!*row) return std::optional<std::string>();
  const std::string_view stored = **row;
  if (stored.size() < kSaltBytes ||
      commitment_of(stored.substr(0, kSaltBytes), stored.substr(kSaltBytes)) != name.commitment) {
    return corrupt("a private value does not fit the commitment in its event");
  }
  return std::optional(std::string(stored.substr(kSaltBytes)));
}

std::string PrivateStore::key_of(const TenantId& tenant, const AccountId& account,
                                 std::string_view reference) {
  return account_prefix(tenant, account) + std::string(reference);
}

Result<std::optional<std::uint64_t>> PrivateStore::applied() const {
  auto row = store_.get(kPending, kAppliedKey);
  if (!row.ok()) return row.status();
  if (!*row) return std::optional<std::uint64_t>();
  return position_of(**row);
}

Status PrivateStore::set_applied(std::uint64_t position) {
  KvBatch batch;
  batch.put(kPending, std::string(kAppliedKey), position_row(position));
  return store_.write(batch);
}

Status PrivateStore::begin_anew() {
  KvBatch batch;
  batch.erase(kPending, std::string(kAppliedKey));
  if (Status status = store_.write(batch); !status.ok()) return status;
  if (Status status = store_.clear(kNamed); !status.ok()) return status;
  batch.clear();
  const auto rows = store_.snapshot();
  const auto cursor = rows->scan(kValues, "", "");
  for (; cursor->valid(); cursor->next()) {
    batch.put(kPending, std::string(cursor->key()), "");
    if (batch.operations().size() < kRowsAtOnce) continue;
    if (Status status = store_.write(batch); !status.ok()) return status;
    batch.clear();
  }
  if (!cursor->status().ok()) return cursor->status();
  return batch.empty() ? Status() : store_.write(batch);
}

Status PrivateStore::name(const std::vector<Named>& values) {
  KvBatch batch;
  for (const Named& value : values) {
    const std::string key = key_of(value.tenant, value.account, value.reference);
    auto row = store_.get(kValues, key);
    if (!row.ok()) return row.status();
    if (!*row) continue;
    batch.put(kNamed, key, position_row(value.position));
    batch.erase(kPending, key);
  }
  return batch.empty() ? Status() : store_.write(batch);
}

Result<std::size_t> PrivateStore::erase(const TenantId& tenant, const AccountId& account,
                                        std::uint64_t position) {
  const std::string prefix = account_prefix(tenant, account);
  KvBatch batch;
  const auto rows = store_.snapshot();
  const auto cursor = rows->scan(kNamed, prefix, prefix_end(prefix));
  for (; cursor->valid(); cursor->next()) {
    const auto named_at = position_of(cursor->value());
    if (!named_at.ok()) return named_at.status();
    if (**named_at >= position) continue;
    batch.erase(kValues, std::string(cursor->key()));
    batch.erase(kNamed, std::string(cursor->key()));
  }
  if (!cursor->status().ok()) return cursor->status();
  if (batch.empty()) return std::size_t{0};
  if (Status status = store_.write(batch); !status.ok()) return status;
  return batch.operations().size() / 2;
}

Result<std::vector<std::string>> PrivateStore::pending(std::size_t limit) const {
  std::vector<std::string> keys;
  const auto rows = store_.snapshot();
  const auto cursor = rows->scan(kPending, "\x01", "");
  for (; cursor->valid() && keys.size() < limit; cursor->next()) keys.emplace_back(cursor->key());
  if (!cursor->status().ok()) return cursor->status();
  return keys;
}

Status PrivateStore::drop(const std::vector<std::string>& keys) {
  KvBatch batch;
  for (const std::string& key : keys) batch.erase(kValues, key);
  return batch.empty() ? Status() : store_.write(batch);
}

Status PrivateStore::forget(const std::vector<std::string>& keys) {
  KvBatch batch;
  for (const std::string& key : keys) batch.erase(kPending, key);
  return batch.empty() ? Status() : store_.write(batch);
}

Status PrivateStore::purge() { return store_.purge(kValues); }

}  // namespace daybook::eventstore
