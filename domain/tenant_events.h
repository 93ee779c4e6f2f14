#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/field.h"
#include "domain/money.h"
#include "domain/stream.h"

/// The events of the tenant, payment and partition streams. NOTE: these are the stored format; the
/// rule at the top of domain/account_events.h holds here too.
namespace daybook::domain {

/// What a key may do, as bits of a set. These numbers are the stored format.
enum class Role : std::uint8_t { kAdmin = 1, kOperator = 2, kAuditor = 4, kClient = 8 };
inline constexpr std::initializer_list<Role> kAllRoles{Role::kAdmin, Role::kOperator,
                                                       Role::kAuditor, Role::kClient};

/// A set of roles.
struct Roles {
  std::uint8_t bits = 0;

  bool has(Role role) const { return (bits & static_cast<std::uint8_t>(role)) != 0; }
  void add(Role role) { bits = static_cast<std::uint8_t>(bits | static_cast<std::uint8_t>(role)); }
  auto operator<=>(const Roles&) const = default;
};

enum class CurrencyStatus : std::uint8_t { kActive = 0, kInactive = 1 };

/// What is recorded of a key: everything but its secret.
struct KeyGrant {
  std::string id;  ///< Public.
  std::optional<std::string> name;
  Roles roles;
  std::vector<AccountId> accounts;  ///< What a client key may read.
  std::string secret_hmac;          ///< 32 bytes: HMAC-SHA-256 of the secret.

  bool operator==(const KeyGrant&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("id", id), field("name", name), field("roles", roles), field("accounts", accounts),
       field("secret_hmac", secret_hmac));
  }
};

struct TenantCreated {
  static constexpr std::uint16_t kType = 64;
  static constexpr std::string_view kName = "TenantCreated";
  std::optional<std::string> name;
  KeyGrant key;  ///< The first one, an admin's.

  bool operator==(const TenantCreated&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("name", name), field("key", key));
  }
};

struct ApiKeyCreated {
  static constexpr std::uint16_t kType = 65;
  static constexpr std::string_view kName = "ApiKeyCreated";
  KeyGrant key;

  bool operator==(const ApiKeyCreated&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    key.serialize(ar);
  }
};

struct ApiKeyRevoked {
  static constexpr std::uint16_t kType = 66;
  static constexpr std::string_view kName = "ApiKeyRevoked";
  std::string id;

  bool operator==(const ApiKeyRevoked&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("id", id));
  }
};

/// The whole entry of one currency, as it is from now on.
struct CurrencySet {
  static constexpr std::uint16_t kType = 67;
  static constexpr std::string_view kName = "CurrencySet";
  Currency currency;
  std::optional<Money> default_credit_limit;
  std::optional<Money> minimum_top_up;
  CurrencyStatus status = CurrencyStatus::kActive;
  std::uint64_t catalogue_version = 0;

  bool operator==(const CurrencySet&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("currency", currency), field("default_credit_limit", default_credit_limit),
       field("minimum_top_up", minimum_top_up), field("status", status),
       field("catalogue_version", catalogue_version));
  }
};

/// Values that hold for the whole tenant, as they are from now on.
struct SettingsChanged {
  static constexpr std::uint16_t kType = 68;
  static constexpr std::string_view kName = "SettingsChanged";
  std::optional<std::string> name;

  bool operator==(const SettingsChanged&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("name", name));
  }
};

/// The one event of a payment's stream: this provider payment belongs to that top-up, for ever.
struct PaymentClaimed {
  static constexpr std::uint16_t kType = 96;
  static constexpr std::string_view kName = "PaymentClaimed";
  std::string provider;
  std::string provider_payment_id;
  Money amount;
  AccountEventRef top_up;

  bool operator==(const PaymentClaimed&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("provider", provider), field("provider_payment_id", provider_payment_id),
       field("amount", amount), field("top_up", top_up));
  }
};

/// From here on the partition decides with this version of the tenant's catalogue.
struct CatalogueAdopted {
  static constexpr std::uint16_t kType = 112;
  static constexpr std::string_view kName = "CatalogueAdopted";
  std::uint64_t catalogue_version = 0;

  bool operator==(const CatalogueAdopted&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("catalogue_version", catalogue_version));
  }
};

}  // namespace daybook::domain
