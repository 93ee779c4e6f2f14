#include "domain/tenant.h"

#include <algorithm>

#include "domain/base/check.h"

namespace daybook::domain {
namespace {

Decision done(Event event) {
  Decision decision;
  decision.events.push_back(std::move(event));
  return decision;
}

Rejection tenant_not_found() { return {RejectionKind::kNotFound, "", "no such tenant"}; }

std::size_t count_revoked(const TenantState& state) {
  return static_cast<std::size_t>(
      std::count_if(state.keys.begin(), state.keys.end(),
                    [](const ApiKey& key) { return key.revoked_at.has_value(); }));
}

class Decider {
 public:
  Decider(const TenantState& state, bool keyed) : state_(state), keyed_(keyed) {}

  Outcome operator()(const CreateTenant& command) const {
    if (state_.version != 0) return refused("tenant", RefusalReason::kTenantExists);
    return done(TenantCreated{command.name, command.first_key});
  }

  Outcome operator()(const CreateApiKey& command) const {
    if (state_.version == 0) return tenant_not_found();
    if (state_.keys.size() - count_revoked(state_) >= kApiKeysMax) {
      return refused("key", RefusalReason::kLimitReached);
    }
    return done(ApiKeyCreated{command.key});
  }

  Outcome operator()(const RevokeApiKey& command) const {
    const auto key = std::find_if(state_.keys.begin(), state_.keys.end(), [&](const ApiKey& known) {
      return known.grant.id == command.id;
    });
    if (key == state_.keys.end()) return Rejection{RejectionKind::kNotFound, "", "no such key"};
    if (key->revoked_at) return unchanged();
    if (key->grant.roles.has(Role::kAdmin) && active_admins() == 1) {
      return refused("revoke-key", RefusalReason::kLastAdminKey);
    }
    return done(ApiKeyRevoked{command.id});
  }

  Outcome operator()(const SetCurrency& command) const {
    if (state_.version == 0) return tenant_not_found();
    for (const auto& [amount, pointer] :
         {std::pair(command.default_credit_limit, "/default_credit_limit"),
          std::pair(command.minimum_top_up, "/minimum_top_up")}) {
      if (amount && amount->is_negative()) {
        return Rejection{RejectionKind::kInvalid, pointer, "must not be negative"};
      }
    }
    if (command.default_credit_limit && *command.default_credit_limit >= kCreditLimitEnd) {
      return Rejection{RejectionKind::kInvalid, "/default_credit_limit",
                       "a credit limit has at most 25 digits before the point"};
    }
    const CurrencyEntry wanted{command.currency, command.default_credit_limit,
                               command.minimum_top_up, command.status};
    const CurrencyEntry* before = state_.catalogue.find(command.currency);
    if (before != nullptr && *before == wanted) return unchanged();

    const auto money = [&](const std::optional<Amount>& amount) {
      return amount ? std::optional(Money{*amount, command.currency}) : std::nullopt;
    };
    const std::uint64_t version = state_.catalogue.version + 1;
    Decision decision = done(CurrencySet{command.currency, money(command.default_credit_limit),
                                         money(command.minimum_top_up), command.status, version});
    decision.adopted = CatalogueAdopted{version};
    return decision;
  }

  Outcome operator()(const ChangeSettings& command) const {
    if (state_.version == 0) return tenant_not_found();
    if (state_.name == command.name) return unchanged();
    return done(SettingsChanged{command.name});
  }

 private:
  Decision unchanged() const { return keyed_ ? done(NoChange{}) : Decision{}; }
  static Decision refused(std::string command, RefusalReason reason) {
    return done(CommandRefused{std::move(command), reason, std::nullopt, std::nullopt});
  }
  std::ptrdiff_t active_admins() const {
    return std::count_if(state_.keys.begin(), state_.keys.end(), [](const ApiKey& key) {
      return key.grant.roles.has(Role::kAdmin) && !key.revoked_at;
    });
  }

  const TenantState& state_;
  bool keyed_;
};

class Evolution {
 public:
  Evolution(TenantState& state, Instant recorded_at) : state_(state), recorded_at_(recorded_at) {}

  void operator()(const TenantCreated& event) {
    state_.name = event.name;
    state_.keys.push_back({event.key, recorded_at_, std::nullopt});
  }
  void operator()(const ApiKeyCreated& event) {
    state_.keys.push_back({event.key, recorded_at_, std::nullopt});
  }
  void operator()(const ApiKeyRevoked& event) {
    for (auto& key : state_.keys) {
      if (key.grant.id == event.id) key.revoked_at = recorded_at_;
    }
    if (count_revoked(state_) <= kApiKeysMax) return;
    // The one that was revoked first is forgotten; as an unknown key it opens nothing either.
    state_.keys.erase(std::min_element(
        state_.keys.begin(), state_.keys.end(), [](const ApiKey& left, const ApiKey& right) {
          return left.revoked_at && (!right.revoked_at || *left.revoked_at < *right.revoked_at);
        }));
  }
  void operator()(const CurrencySet& event) {
    const auto amount = [](const std::optional<Money>& money) {
      return money ? std::optional(money->amount) : std::nullopt;
    };
    const CurrencyEntry entry{event.currency, amount(event.default_credit_limit),
                              amount(event.minimum_top_up), event.status};
    auto& entries = state_.catalogue.currencies;
    const auto at = std::lower_bound(entries.begin(), entries.end(), entry,
                                     [](const CurrencyEntry& left, const CurrencyEntry& right) {
                                       return left.currency < right.currency;
                                     });
    if (at != entries.end() && at->currency == event.currency) {
      *at = entry;
    } else {
      entries.insert(at, entry);
    }
    CHECK(event.catalogue_version == state_.catalogue.version + 1);
    state_.catalogue.version = event.catalogue_version;
  }
  void operator()(const SettingsChanged& event) { state_.name = event.name; }
  void operator()(const NoChange&) {}
  void operator()(const CommandRefused&) {}

  template <class Other>
  void operator()(const Other&) {
    CHECK(false && "an event of another stream");
  }

 private:
  TenantState& state_;
  Instant recorded_at_;
};

}  // namespace

Outcome decide(const TenantCommand& command, const TenantState& state, bool keyed) {
  return std::visit(Decider(state, keyed), command);
}

void evolve(TenantState& state, const Event& event, Instant recorded_at) {
  ++state.version;
  std::visit(Evolution(state, recorded_at), event);
}

void evolve(TenantState& state, const RecordedEvent& recorded) {
  CHECK(recorded.stream.kind == StreamKind::kTenant);
  CHECK(recorded.version == state.version + 1);
  evolve(state, recorded.event, recorded.recorded_at);
}

}  // namespace daybook::domain
