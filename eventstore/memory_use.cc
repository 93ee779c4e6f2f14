#include "eventstore/memory_use.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "eventstore/event_codec.h"

namespace daybook::eventstore {
namespace {

/// What a value holds beyond its own sizeof. A class, so that all overloads see each other.
struct Held {
  static std::size_t of(const std::string& text) { return text.size(); }
  static std::size_t of(const AccountId& id) { return id.value().size(); }
  static std::size_t of(const domain::Attribute& item) {
    return item.name.size() + item.value.size();
  }
  static std::size_t of(const domain::InitialTag& tag) {
    return tag.name.size() + tag.value.size();
  }
  static std::size_t of(const domain::PrivateValue& value) {
    return value.reference.size() + value.commitment.size();
  }
  template <class T>
  static std::size_t of(const std::optional<T>& value) {
    return value ? of(*value) : 0;
  }
  template <class T>
  static std::size_t of(const std::vector<T>& items) {
    std::size_t bytes = items.size() * sizeof(T);
    for (const T& item : items) bytes += of(item);
    return bytes;
  }
  static std::size_t of(const domain::KeyGrant& key) {
    return of(key.id) + of(key.name) + of(key.accounts) + of(key.secret_hmac);
  }
  static std::size_t of(const domain::ApiKey& key) { return of(key.grant); }
  static std::size_t of(const domain::OpenHold& hold) { return of(hold.service); }
  static std::size_t of(const domain::AccountTag& tag) {
    return of(tag.service) + of(tag.name) + of(tag.value) + of(tag.extra);
  }
};

/// The members of commands that have no fixed size, each by its name.
template <class Body>
std::size_t held_by_command(const Body& body) {
  std::size_t bytes = 0;
  if constexpr (requires { body.attributes; }) bytes += Held::of(body.attributes);
  if constexpr (requires { body.description; }) bytes += Held::of(body.description);
  if constexpr (requires { body.extra; }) bytes += Held::of(body.extra);
  if constexpr (requires { body.first_key; }) bytes += Held::of(body.first_key);
  if constexpr (requires { body.id; }) bytes += Held::of(body.id);
  if constexpr (requires { body.key; }) bytes += Held::of(body.key);
  if constexpr (requires { body.name; }) bytes += Held::of(body.name);
  if constexpr (requires { body.provider; }) bytes += Held::of(body.provider);
  if constexpr (requires { body.provider_payment_id; }) bytes += Held::of(body.provider_payment_id);
  if constexpr (requires { body.reason; }) bytes += Held::of(body.reason);
  if constexpr (requires { body.same_as; }) bytes += Held::of(body.same_as);
  if constexpr (requires { body.service; }) bytes += Held::of(body.service);
  if constexpr (requires { body.tag; }) bytes += Held::of(body.tag);
  if constexpr (requires { body.tags; }) bytes += Held::of(body.tags);
  if constexpr (requires { body.value; }) bytes += Held::of(body.value);
  return bytes;
}

std::size_t memory_of_event(const PlacedEventPtr& placed) {
  if (placed == nullptr) return 0;
  return sizeof(PlacedEvent) + encode_event(placed->event).size();
}

}  // namespace

std::size_t memory_of(const Command& command) {
  const std::size_t fixed = sizeof(Command) + command.tenant.value().size() +
                            command.account.value().size() + command.actor.size() +
                            command.idempotency_key.size();
  return std::visit(
      [fixed](const auto& body) {
        return fixed + std::visit([](const auto& item) { return held_by_command(item); }, body);
      },
      command.body);
}

std::size_t memory_of(const Lookups& lookups) {
  std::size_t bytes = sizeof(Lookups);
  if (lookups.account) bytes += memory_of(*lookups.account);
  if (lookups.tenant) bytes += memory_of(*lookups.tenant);
  for (const auto* event :
       {&lookups.key_event, &lookups.original, &lookups.claim, &lookups.claimed_top_up,
        &lookups.referenced, &lookups.latest_reference}) {
    bytes += memory_of_event(*event);
  }
  return bytes;
}

std::size_t memory_of(const Answer& answer) {
  return sizeof(Answer) + memory_of_event(answer.event) + memory_of_event(answer.original) +
         answer.rejection.pointer.size() + answer.rejection.detail.size();
}

std::size_t memory_of(const domain::AccountState& state) {
  return sizeof(state) + state.balances.size() * sizeof(domain::CurrencyBalance) +
         Held::of(state.holds) + Held::of(state.tags);
}

std::size_t memory_of(const domain::TenantState& state) {
  return sizeof(state) + Held::of(state.name) + Held::of(state.keys) +
         state.catalogue.currencies.size() * sizeof(domain::CurrencyEntry);
}

}  // namespace daybook::eventstore
