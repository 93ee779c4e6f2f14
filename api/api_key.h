#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "domain/base/random.h"
#include "domain/event.h"
#include "domain/tenant.h"

namespace daybook::api {

/// Who is asking, as the credential says it.
struct Principal {
  TenantId tenant;
  std::string key;  ///< Public id of the key.
  domain::Roles roles;
  std::vector<AccountId> accounts;  ///< What a client key may read; others read all.

  std::string actor() const { return "key:" + key; }
  bool may_read(const AccountId& account) const;
};

/// A new key: what is stored of it, and the text that its holder is shown once.
struct MintedKey {
  domain::KeyGrant key;
  std::string secret;  ///< `dbk_<16 hex>_<64 hex>`: public id and 256 random bits.
};

/// Makes a key whose secret is stored as HMAC-SHA-256 under `pepper` only.
MintedKey mint_key(const Random& random, std::string_view pepper, std::optional<std::string> name,
                   domain::Roles roles, std::vector<AccountId> accounts);

/// Every key of every tenant, as of the last commit: what authenticates a request.
/// Thread rule: any thread. A revocation counts from the moment its event is durable, before it is
/// answered.
class KeyRing {
 public:
  explicit KeyRing(std::string pepper) : pepper_(std::move(pepper)) {}

  /// Takes the keys of a tenant as stored.
  void load(const TenantId& tenant, const domain::TenantState& state);
  /// Takes an event that has become durable; others than those of keys are ignored.
  void apply(const domain::RecordedEvent& event);

  /// The holder of a credential (`dbk_...`), or none: unknown, malformed, wrong or revoked, in the
  /// same time. Constant-time comparison.
  std::optional<Principal> authenticate(std::string_view credential) const;

  /// Whether the key of an authenticated principal has not been revoked since.
  bool is_valid(const Principal& principal) const;

  std::size_t size() const;

 private:
  struct Known {
    Principal principal;
    std::string secret_hmac;
    bool revoked = false;
  };

  /// REQUIRES: mutex_ is held.
  void add(const TenantId& tenant, const domain::KeyGrant& grant, bool revoked);

  std::string pepper_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Known> keys_;  ///< By public id.
};

}  // namespace daybook::api
