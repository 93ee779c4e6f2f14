#include "api/api_key.h"

#include <algorithm>

#include <openssl/crypto.h>

#include "eventstore/digest.h"

namespace daybook::api {
namespace {

constexpr std::string_view kPrefix = "dbk_";
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kIdEnd = kPrefix.size() + 2 * kIdBytes;
constexpr std::size_t kCredentialSize = kIdEnd + 1 + 2 * kSecretBytes;

std::string hmac_of(std::string_view pepper, std::string_view credential) {
  const auto hash = eventstore::hmac_sha256(pepper, credential);
  return std::string(eventstore::bytes_of(hash));
}

}  // namespace

bool Principal::may_read(const AccountId& account) const {
  if (!roles.has(domain::Role::kClient)) return true;
  return std::find(accounts.begin(), accounts.end(), account) != accounts.end();
}

MintedKey mint_key(const Random& random, std::string_view pepper, std::optional<std::string> name,
                   domain::Roles roles, std::vector<AccountId> accounts) {
  const std::string id = eventstore::to_hex(random.bytes(kIdBytes));
  std::string secret(kPrefix);
  secret += id;
  secret.push_back('_');
  secret += eventstore::to_hex(random.bytes(kSecretBytes));
  return {{id, std::move(name), roles, std::move(accounts), hmac_of(pepper, secret)}, secret};
}

void KeyRing::load(const TenantId& tenant, const domain::TenantState& state) {
  const std::unique_lock lock(mutex_);
  for (const auto& key : state.keys) add(tenant, key.grant, key.revoked_at.has_value());
}

void KeyRing::apply(const domain::RecordedEvent& event) {
  const TenantId& tenant = event.stream.tenant;
  const std::unique_lock lock(mutex_);
  if (const auto* created = std::get_if<domain::TenantCreated>(&event.event)) {
    add(tenant, created->key, false);
  } else if (const auto* added = std::get_if<domain::ApiKeyCreated>(&event.event)) {
    add(tenant, added->key, false);
  } else if (const auto* revoked = std::get_if<domain::ApiKeyRevoked>(&event.event)) {
    const auto key = keys_.find(revoked->id);
    if (key != keys_.end()) key->second.revoked = true;
  }
}

void KeyRing::add(const TenantId& tenant, const domain::KeyGrant& grant, bool revoked) {
  keys_[grant.id] = {{tenant, grant.id, grant.roles, grant.accounts}, grant.secret_hmac, revoked};
}

std::optional<Principal> KeyRing::authenticate(std::string_view credential) const {
  if (credential.size() != kCredentialSize || !credential.starts_with(kPrefix) ||
      credential[kIdEnd] != '_') {
    return std::nullopt;
  }
  // The work is the same for an id that nobody has.
  const std::string presented = hmac_of(pepper_, credential);
  const std::shared_lock lock(mutex_);
  const auto found = keys_.find(std::string(credential.substr(kPrefix.size(), 2 * kIdBytes)));
  const std::string& expected = found == keys_.end() ? presented : found->second.secret_hmac;
  const bool same = expected.size() == presented.size() &&
                    CRYPTO_memcmp(expected.data(), presented.data(), presented.size()) == 0;
  if (found == keys_.end() || !same || found->second.revoked) return std::nullopt;
  return found->second.principal;
}

bool KeyRing::is_valid(const Principal& principal) const {
  const std::shared_lock lock(mutex_);
  const auto found = keys_.find(principal.key);
  return found != keys_.end() && !found->second.revoked;
}

std::size_t KeyRing::size() const {
  const std::shared_lock lock(mutex_);
  return keys_.size();
}

}  // namespace daybook::api
