#pragma once

#include <string>
#include <string_view>

#include "domain/account.h"
#include "domain/base/result.h"
#include "domain/event.h"
#include "domain/tenant.h"

/// Events and states to bytes and back: cereal's `serialize()` idiom through our own bounded
/// archives. docs/stored_format.md gives the grammar.
///
/// Canonical: decode accepts exactly what encode writes, so encode(decode(b)) == b. Lengths are
/// checked before anything is allocated. Thread rule: pure functions, any thread.
namespace daybook::eventstore {

/// Appends the stored form of the event, as it goes into an Entry's body.
void encode_event(const domain::RecordedEvent& event, std::string& out);
std::string encode_event(const domain::RecordedEvent& event);

/// Reads the stored form from bytes that may be anything. What it returns stands on a stream of the
/// kind that its type belongs to, and every amount in it can be negated.
Result<domain::RecordedEvent> decode_event(std::string_view bytes);

/// The envelope alone, without decoding the body: what indexes need.
struct EventHead {
  domain::StreamId stream;
  std::uint64_t version = 0;
  std::uint16_t type = 0;
  Instant recorded_at;
  std::string_view idempotency_key;  ///< Points into the bytes.
};
Result<EventHead> decode_event_head(std::string_view bytes);

std::string encode_state(const domain::AccountState& state);
std::string encode_state(const domain::TenantState& state);
/// Of domain::AccountState or domain::TenantState.
template <class State>
Result<State> decode_state(std::string_view bytes);
template <>
Result<domain::AccountState> decode_state(std::string_view bytes);
template <>
Result<domain::TenantState> decode_state(std::string_view bytes);

}  // namespace daybook::eventstore
