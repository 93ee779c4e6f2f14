#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/command_json.h"
#include "api/http_gate.h"
#include "api/json_reader.h"
#include "api/path_rule.h"
#include "api/query_params.h"
#include "api/routes.h"
#include "domain/account.h"
#include "domain/base/utf8.h"
#include "domain/tenant.h"
#include "eventstore/event_codec.h"
#include "eventstore/public_json.h"
#include "replay/event_check.h"
#include "tests/fuzz/plain_json.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

using api::CommandBody;
using api::InputError;
using domain::RecordedEvent;
using Read = std::variant<CommandBody, std::vector<InputError>>;

const Instant kNow{1'769'853'600'000'000};  // 2026-01-31T10:00:00Z
const TenantId kTenant("main");
const AccountId kAccount("acme");

domain::Money usd(std::int64_t whole) {
  const auto amount = domain::parse_amount(std::to_string(whole));
  return {*amount, *domain::Currency::parse("USD")};
}

/// An account with money, a limit, a hold, a charge and a tag, made by the decider itself.
struct Account {
  domain::AccountState state;
  domain::Catalogue catalogue;
  std::vector<RecordedEvent> events;

  Account() {
    catalogue.version = 1;
    take(domain::OpenAccount{usd(0).currency, {}, {{"plan", "basic"}}});
    take(domain::TopUp{usd(1'000), {}, {}, {}});
    take(domain::PlaceHold{usd(40), {}, {}, {}});
    take(domain::PostCharge{usd(350), {}, {}, {}, {}});
    take(domain::SetCreditLimit{usd(500), "agreed"});
  }
  domain::AccountFacts facts(const AccountId& account) const {
    return {.now = kNow, .account = &account, .catalogue = &catalogue, .keyed = true};
  }

 private:
  void take(const domain::AccountCommand& command) {
    const auto outcome = domain::decide(command, state, facts(kAccount));
    for (const auto& event : std::get<domain::Decision>(outcome).events) {
      RecordedEvent recorded;
      recorded.stream = domain::StreamId::account(kTenant, kAccount);
      recorded.version = state.version + 1;
      recorded.recorded_at = recorded.effective_at = kNow;
      recorded.event = event;
      domain::evolve(state, recorded);
      events.push_back(std::move(recorded));
    }
  }
};

const Account& account() {
  static const Account account;
  return account;
}

/// Stored, read again and shown to the public.
void check_recorded(const RecordedEvent& event) {
  require(!replay::check_form(event).has_value(), "what is decided has the form of an event");
  const std::string bytes = eventstore::encode_event(event);
  const auto decoded = eventstore::decode_event(bytes);
  require(decoded.ok() && *decoded == event, "what is decided is stored and read");
  const std::string json = eventstore::public_json(event);
  const auto plain = read_plain_json(json, 8);
  require(plain.has_value() && plain->canonical == json, "the public form is canonical JSON");
}

RecordedEvent recorded(domain::StreamId stream, std::uint64_t version, const domain::Event& body,
                       std::optional<Instant> effective_at) {
  RecordedEvent event;
  event.stream = std::move(stream);
  event.version = version;
  event.recorded_at = kNow;
  event.effective_at = std::min(effective_at.value_or(kNow), kNow);
  event.actor = "key:k1";
  event.idempotency_key = "k";
  event.event = body;
  return event;
}

const RecordedEvent* referenced_by(const domain::AccountCommand& command) {
  std::uint64_t version = 0;
  if (const auto* refund = std::get_if<domain::RefundCharge>(&command)) {
    version = refund->charge.version;
  } else if (const auto* reversal = std::get_if<domain::ReverseTopUp>(&command)) {
    version = reversal->top_up.version;
  }
  const auto& events = account().events;
  return version == 0 || version > events.size() ? nullptr : &events[version - 1];
}

/// What came of a decision, in the form that sorts tags and attributes: their order is no meaning.
using Effect = std::vector<std::string>;

Effect rejected(const domain::Outcome& outcome) {
  const auto& rejection = std::get<domain::Rejection>(outcome);
  return {"rejected", rejection.pointer, rejection.detail};
}

Effect decide_on_account(const CommandBody& body, bool is_there) {
  const auto& command = std::get<domain::AccountCommand>(body.body);
  const AccountId id = body.account.empty() ? AccountId("acc_0") : body.account;
  domain::AccountState state = is_there ? account().state : domain::AccountState();
  domain::AccountFacts facts = account().facts(id);
  if (is_there) facts.referenced = referenced_by(command);
  const auto outcome = domain::decide(command, state, facts);
  const auto* decision = std::get_if<domain::Decision>(&outcome);
  if (decision == nullptr) return rejected(outcome);
  Effect effect;
  for (const auto& event : decision->events) {
    const auto one = recorded(domain::StreamId::account(kTenant, id), state.version + 1, event,
                              body.effective_at);
    check_recorded(one);
    effect.push_back(eventstore::public_json(one));
    require(!replay::check_evolves(state, one).has_value(), "what is decided follows");
    require(!replay::check_and_evolve(state, account().catalogue, one).has_value(),
            "the numbers of what is decided are right");
  }
  if (decision->claim) {
    const auto one = recorded(domain::StreamId::payment(kTenant, decision->claim->provider,
                                                        decision->claim->provider_payment_id),
                              1, *decision->claim, std::nullopt);
    check_recorded(one);
    effect.push_back(eventstore::public_json(one));
  }
  return effect;
}

Effect decide_on_tenant(const CommandBody& body, bool is_there) {
  domain::TenantState state;
  const TenantId id = body.new_tenant.empty() ? kTenant : body.new_tenant;
  if (is_there) state.version = 3;
  const auto outcome = domain::decide(std::get<domain::TenantCommand>(body.body), state, true);
  const auto* decision = std::get_if<domain::Decision>(&outcome);
  if (decision == nullptr) return rejected(outcome);
  Effect effect;
  for (const auto& event : decision->events) {
    const auto one =
        recorded(domain::StreamId::of_tenant(id), state.version + 1, event, std::nullopt);
    check_recorded(one);
    effect.push_back(eventstore::public_json(one));
    domain::evolve(state, one);
  }
  return effect;
}

Effect decide_on(const CommandBody& body, bool is_there) {
  return std::holds_alternative<domain::AccountCommand>(body.body)
             ? decide_on_account(body, is_there)
             : decide_on_tenant(body, is_there);
}

void check_errors(const std::vector<InputError>& errors) {
  require(!errors.empty() && errors.size() <= api::InputErrors::kMax, "a no has 1 to 20 reasons");
  for (const InputError& error : errors) {
    require(!error.detail.empty() && is_utf8(error.detail), "a reason is a text");
    require(is_utf8(error.pointer), "a pointer is a text");
    require(error.pointer.empty() || error.parameter.empty(), "a reason has one place");
  }
}

/// Two texts of one value are one command.
void check_same(const Read& first, const Read& second) {
  require(first.index() == second.index(), "the canonical text gets the same yes or no");
  if (const auto* body = std::get_if<CommandBody>(&first)) {
    const auto& other = std::get<CommandBody>(second);
    require(body->account == other.account && body->new_tenant == other.new_tenant &&
                body->effective_at == other.effective_at && body->extra == other.extra,
            "the canonical text says the same of the command");
    for (const bool is_there : {false, true}) {
      require(decide_on(*body, is_there) == decide_on(other, is_there),
              "the canonical text leads to the same decision");
    }
  } else {
    require(std::get<1>(first).size() == std::get<1>(second).size(),
            "the canonical text has as many faults");
  }
}

struct Request {
  const api::Route* route = nullptr;
  api::Parameters path;
  api::Parameters query;
};

/// `POST /v1/accounts/acme/charges`: as a batch item names it.
std::optional<Request> read_line(std::string_view line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view target = line.substr(std::min(space + 1, line.size()));
  const auto path = api::decode_target_path(target);
  if (!path) return std::nullopt;
  const auto found = api::find_route(line.substr(0, space), *path);
  const auto* match = std::get_if<api::RouteMatch>(&found);
  if (match == nullptr || match->route->body_bytes_max == 0 ||
      match->route->operation == api::Operation::kBatch) {
    return std::nullopt;
  }
  static_cast<void>(api::path_errors(match->params));
  Request request{match->route, {match->params.begin(), match->params.end()}, {}};
  const std::size_t mark = std::min(target.find('?'), target.size());
  request.query = api::QueryParams::split(target.substr(std::min(mark + 1, target.size())));
  return request;
}

}  // namespace

/// A write request: a line `METHOD target`, then its body.
void command_json(std::string_view bytes) {
  const std::size_t end = std::min(bytes.find('\n'), bytes.size());
  const auto request = read_line(bytes.substr(0, end));
  if (!request) return;
  const api::Operation operation = request->route->operation;
  const auto parsed =
      api::parse_command_body(operation, bytes.substr(std::min(end + 1, bytes.size())));
  const auto* value = std::get_if<api::JsonValue>(&parsed);
  if (value == nullptr) return;
  const Read read = api::read_command(operation, {kTenant, request->path, request->query, *value});
  if (const auto* errors = std::get_if<std::vector<InputError>>(&read)) check_errors(*errors);

  const auto again = api::parse_command_body(operation, api::canonical_text(*value));
  require(std::holds_alternative<api::JsonValue>(again), "the canonical text is a body");
  check_same(read, api::read_command(operation, {kTenant, request->path, request->query,
                                                 std::get<api::JsonValue>(again)}));
}

}  // namespace daybook::fuzz
