#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "domain/base/time.h"
#include "domain/catalogue.h"
#include "domain/decision.h"

/// The tenant decider: an operator's API keys, settings and catalogue.
/// Read in this order: commands, (events: domain/tenant_events.h), state, decide, evolve. Pure.
namespace daybook::domain {

inline constexpr std::size_t kApiKeysMax = 10'000;  ///< Per tenant; revoked ones count apart.

// --- Commands
// -------------------------------------------------------------------------------------

struct CreateTenant {
  std::optional<std::string> name;
  KeyGrant first_key;
};
struct CreateApiKey {
  KeyGrant key;
};
struct RevokeApiKey {
  std::string id;
};
/// The whole entry of a currency: what is left out is taken away.
struct SetCurrency {
  Currency currency;
  std::optional<Amount> default_credit_limit;
  std::optional<Amount> minimum_top_up;
  CurrencyStatus status = CurrencyStatus::kActive;
};
struct ChangeSettings {
  std::optional<std::string> name;
};

using TenantCommand =
    std::variant<CreateTenant, CreateApiKey, RevokeApiKey, SetCurrency, ChangeSettings>;

// --- State
// ----------------------------------------------------------------------------------------

struct ApiKey {
  KeyGrant grant;
  Instant created_at;
  std::optional<Instant> revoked_at;

  bool operator==(const ApiKey&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(grant, created_at, revoked_at);
  }
};

struct TenantState {
  std::uint64_t version = 0;  ///< Of the last event; 0: no such tenant.
  std::optional<std::string> name;
  std::vector<ApiKey> keys;  ///< In order of creation.
  Catalogue catalogue;

  bool operator==(const TenantState&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, name, keys, catalogue);
  }
};

// --- Decide and evolve
// ------------------------------------------------------------------------------

/// `keyed`: the command has an idempotency key.
Outcome decide(const TenantCommand& command, const TenantState& state, bool keyed);

void evolve(TenantState& state, const RecordedEvent& recorded);
void evolve(TenantState& state, const Event& event, Instant recorded_at);

}  // namespace daybook::domain
