#include "eventstore/memory_use.h"

#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "eventstore/event_codec.h"

namespace daybook::eventstore {
namespace {

// What a value holds beyond its own sizeof.
std::size_t held_by(const std::string& text) { return text.size(); }
std::size_t held_by(const AccountId& id) { return id.value().size(); }
std::size_t held_by(const domain::Attribute& item) { return item.name.size() + item.value.size(); }
std::size_t held_by(const domain::InitialTag& tag) { return tag.name.size() + tag.value.size(); }
std::size_t held_by(const domain::PrivateValue& value) {
  return value.reference.size() + value.commitment.size();
}
template <class T>
std::size_t held_by(const std::optional<T>& value) {
  return value ? held_by(*value) : 0;
}
template <class T>
std::size_t held_by(const std::vector<T>& items) {
  std::size_t bytes = items.size() * sizeof(T);
  for (const T& item : items) bytes += held_by(item);
  return bytes;
}
std::size_t held_by(const domain::KeyGrant& key) {
  return held_by(key.id) + held_by(key.name) + held_by(key.accounts) + held_by(key.secret_hmac);
}
std::size_t held_by(const domain::ApiKey& key) { return held_by(key.grant); }
std::size_t held_by(const domain::OpenHold& hold) { return held_by(hold.service); }
std::size_t held_by(const domain::AccountTag& tag) {
  return held_by(tag.service) + held_by(tag.name) + held_by(tag.value) + held_by(tag.extra);
}

/// The members of commands that have no fixed size, each by its name.
template <class Body>
std::size_t held_by_command(const Body& body) {
  std::size_t bytes = 0;
  if constexpr (requires { body.attributes; }) bytes += held_by(body.attributes);
  if constexpr (requires { body.description; }) bytes += held_by(body.description);
  if constexpr (requires { body.extra; }) bytes += held_by(body.extra);
  if constexpr (requires { body.first_key; }) bytes += held_by(body.first_key);
  if constexpr (requires { body.id; }) bytes += held_by(body.id);
  if constexpr (requires { body.key; }) bytes += held_by(body.key);
  if constexpr (requires { body.name; }) bytes += held_by(body.name);
  if constexpr (requires { body.provider; }) bytes += held_by(body.provider);
  if constexpr (requires { body.provider_payment_id; }) bytes += held_by(body.provider_payment_id);
  if constexpr (requires { body.reason; }) bytes += held_by(body.reason);
  if constexpr (requires { body.service; }) bytes += held_by(body.service);
  if constexpr (requires { body.tag; }) bytes += held_by(body.tag);
  if constexpr (requires { body.tags; }) bytes += held_by(body.tags);
  if constexpr (requires { body.value; }) bytes += held_by(body.value);
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
  for (const auto* event : {&lookups.key_event, &lookups.original, &lookups.claim,
                            &lookups.claimed_top_up, &lookups.referenced,
                            &lookups.latest_reference}) {
    bytes += memory_of_event(*event);
  }
  return bytes;
}

std::size_t memory_of(const domain::AccountState& state) {
  return sizeof(state) + state.balances.size() * sizeof(domain::CurrencyBalance) +
         held_by(state.holds) + held_by(state.tags);
}

std::size_t memory_of(const domain::TenantState& state) {
  return sizeof(state) + held_by(state.name) + held_by(state.keys) +
         state.catalogue.currencies.size() * sizeof(domain::CurrencyEntry);
}

}  // namespace daybook::eventstore
