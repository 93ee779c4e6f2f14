#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "domain/base/utf8.h"
#include "domain/event.h"
#include "domain/posting_rules.h"
#include "eventstore/digest.h"
#include "eventstore/event_codec.h"
#include "eventstore/event_id.h"
#include "eventstore/public_json.h"
#include "replay/event_check.h"
#include "tests/fuzz/plain_json.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

constexpr std::size_t kPublicDepth = 8;

void check_head(std::string_view bytes, const domain::RecordedEvent& event) {
  const auto head = eventstore::decode_event_head(bytes);
  require(head.ok(), "the head of an event that decodes does too");
  require(head->stream == event.stream && head->version == event.version &&
              head->type == domain::type_of(event.event) &&
              head->recorded_at == event.recorded_at &&
              head->idempotency_key == event.idempotency_key,
          "the head says what the event says");
}

/// The form that auditors hash.
void check_public(const domain::RecordedEvent& event) {
  const std::string json = eventstore::public_json(event);
  require(is_utf8(json), "the public form is UTF-8");
  const auto plain = read_plain_json(json, kPublicDepth);
  require(plain.has_value(), "the public form is JSON");
  require(plain->canonical == json, "the public form is canonical");
  require(eventstore::public_json(event) == json, "the public form is one text");
  const std::string data = eventstore::public_data_json(event);
  require(json.find("\"data\":" + data) != std::string::npos, "the data is part of it");
  require(parse_rfc3339(to_rfc3339(event.recorded_at)) == event.recorded_at &&
              parse_rfc3339(to_rfc3339(event.effective_at)) == event.effective_at,
          "a public time is the time");
  if (event.version == 0) return;  // No event has it: what follows the log finds that.
  const std::string id = eventstore::event_id(event.stream, event.version);
  require(eventstore::version_in(event.stream, id) == event.version, "the id tells the version");
}

domain::AccountState account_before(const domain::RecordedEvent& event) {
  domain::AccountState state;
  if (event.version == 1) return state;
  domain::evolve(state, domain::AccountOpened{*domain::Currency::parse("USD"), {}, {}}, Instant{});
  state.version = event.version - 1;
  return state;
}
domain::TenantState tenant_before(const domain::RecordedEvent& event) {
  domain::TenantState state;
  state.version = event.version - 1;
  return state;
}

/// The fold of an event must not stop the process, if nothing speaks against it.
template <class State>
void check_fold(State state, const domain::RecordedEvent& event) {
  if (replay::check_evolves(state, event)) return;
  domain::evolve(state, event);
  require(state.version == event.version, "a state has the version of its last event");
  const std::string bytes = eventstore::encode_state(state);
  const auto again = eventstore::decode_state<State>(bytes);
  require(again.ok() && *again == state, "a folded state is stored and read");
}

}  // namespace

/// The stored form of one event.
void event(std::string_view bytes) {
  const auto decoded = eventstore::decode_event(bytes);
  if (!decoded.ok()) {
    require(decoded.status().code() == StatusCode::kCorrupt, "what is no event is corrupt");
    return;
  }
  require(eventstore::encode_event(*decoded) == bytes, "the stored form is canonical");
  check_head(bytes, *decoded);
  for (const auto& posting : domain::postings_of(decoded->event, decoded->rules_version)) {
    require(domain::checked_negate(posting.amount.amount).has_value(), "a posting has two sides");
  }
  if (replay::check_form(*decoded)) return;
  check_public(*decoded);
  if (decoded->version == 0) return;
  if (decoded->stream.kind == domain::StreamKind::kAccount) {
    check_fold(account_before(*decoded), *decoded);
  } else if (decoded->stream.kind == domain::StreamKind::kTenant) {
    check_fold(tenant_before(*decoded), *decoded);
  }
}

}  // namespace daybook::fuzz
