#include "api/command_service.h"

#include <map>
#include <utility>
#include <variant>

#include "api/answers.h"
#include "api/body_reader.h"
#include "api/card_rule.h"
#include "api/command_json.h"
#include "api/fingerprint.h"
#include "api/problem.h"
#include "api/query_params.h"
#include "api/request_headers.h"
#include "domain/base/check.h"
#include "eventstore/digest.h"

namespace daybook::api {
namespace {

/// Hexadecimal digits of an account id made from an idempotency key.
constexpr std::size_t kGeneratedIdDigits = 24;
/// How long the answer to an erasure waits for the values to be gone from every file.
constexpr std::int64_t kEraseWaitMicros = 20'000'000;
/// How long a private value waits for the index to have what was acknowledged before it.
constexpr std::int64_t kSameExtraWaitMicros = 1'000'000;

HttpResponse invalid_request(const std::vector<InputError>& errors, const std::string& request_id) {
  ProblemExtras extras;
  bool card_data = false;
  for (const auto& error : errors) {
    extras.errors.push_back({error.pointer, error.detail, error.parameter});
    card_data = card_data || error.card_data;
  }
  return problem(422, card_data ? kCardDataSlug : "validation", "the request is not valid",
                 request_id, extras);
}

HttpResponse later(std::string_view slug, std::string_view detail, const std::string& id) {
  HttpResponse response = problem(503, slug, detail, id);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse overloaded(const std::string& id) {
  return later("overloaded", "nothing was done; send it again later", id);
}

HttpResponse not_kept(const std::string& id) {
  return later("storage-degraded", "nothing was done", id);
}

/// REQUIRES: a command with a private value.
domain::SetTag& tag_of(eventstore::Command& command) {
  auto* account_command = std::get_if<domain::AccountCommand>(&command.body);
  CHECK(account_command != nullptr);
  auto* tag = std::get_if<domain::SetTag>(account_command);
  CHECK(tag != nullptr);
  return *tag;
}

Parameters to_parameters(const PathParams& params) { return {params.begin(), params.end()}; }

}  // namespace

struct CommandService::Prepared {
  eventstore::Command command;
  AnswerContext context;
  std::optional<std::string> extra;
  std::optional<domain::PrivateValue> kept;  ///< Durable, and an orphan until its event is.
  bool erases = false;
};

void CommandService::run(WriteRequest request, std::string_view body, Respond respond) {
  auto parsed = parse_command_body(request.route->operation, body);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    respond(problem(400, "malformed-json", error->detail, request.request_id));
    return;
  }
  const std::string id = request.request_id;
  auto prepared = prepare(std::move(request), std::get<JsonValue>(parsed));
  if (auto* refusal = std::get_if<HttpResponse>(&prepared)) return respond(std::move(*refusal));
  auto& ready = std::get<std::shared_ptr<Prepared>>(prepared);
  if (!ready->extra) return submit(ready, std::move(respond));
  auto shared = std::make_shared<Respond>(std::move(respond));
  const auto go_on = [this, ready, shared, id](bool) {
    const bool taken =
        services_.workers.post([this, ready, shared] { submit(ready, std::move(*shared)); });
    if (!taken) (*shared)(overloaded(id));
  };
  // So that the same text is known as such right after it was acknowledged, see find_same_extras.
  const bool waits =
      services_.projector.when_applied(services_.ledger.committed(), kSameExtraWaitMicros, go_on);
  if (!waits) go_on(false);
}

std::variant<std::shared_ptr<CommandService::Prepared>, HttpResponse> CommandService::prepare(
    WriteRequest request, const JsonValue& body) const {
  auto made = std::make_shared<Prepared>();
  Prepared& prepared = *made;
  eventstore::Command& command = prepared.command;
  if (auto refusal = read_headers(request, command)) return std::move(*refusal);

  auto query = QueryParams::split(request.query);
  const Parameters path = to_parameters(request.params);
  auto read = read_command(request.route->operation,
                           CommandInput{request.principal.tenant, path, query, body});
  if (const auto* errors = std::get_if<std::vector<InputError>>(&read)) {
    return invalid_request(*errors, request.request_id);
  }
  auto& input = std::get<CommandBody>(read);
  command.tenant = input.new_tenant.empty() ? request.principal.tenant : input.new_tenant;
  command.account = std::move(input.account);
  command.body = std::move(input.body);
  command.effective_at = input.effective_at;
  command.actor = request.principal.actor();
  command.fingerprint =
      request_fingerprint(services_.fingerprint_secret,
                          {request.method, request.path, request.query, canonical_text(body)});
  if (request.route->operation == Operation::kOpenAccount && command.account.empty()) {
    const auto hash = eventstore::sha256({"daybook/account-id/1", command.tenant.value(),
                                          std::string_view("\0", 1), command.idempotency_key});
    command.account = AccountId("acc_" + eventstore::to_hex(hash).substr(0, kGeneratedIdDigits));
  }
  prepared.context.is_post = request.method == "POST";
  prepared.context.request_id = std::move(request.request_id);
  prepared.context.generation = services_.generation;
  prepared.extra = std::move(input.extra);
  prepared.erases = request.route->operation == Operation::kErasePrivateData;
  return made;
}

/// In a worker, if there is a private value.
void CommandService::submit(const std::shared_ptr<Prepared>& prepared, Respond respond) {
  if (prepared->extra && !keep_private({prepared.get()}).ok()) {
    return respond(not_kept(prepared->context.request_id));
  }
  auto [command, complete, held_back] = submission(prepared, std::move(respond));
  services_.ledger.submit(std::move(command), std::move(complete));
}

void CommandService::submit(std::vector<BatchItem> items) {
  std::vector<Prepared*> with_value;
  for (const BatchItem& item : items) {
    if (item.prepared->extra) with_value.push_back(item.prepared.get());
  }
  // What the ledger will not take is not worth a write and a sync.
  const bool in_vain = !services_.ledger.takes_commands() || services_.ledger.is_overloaded();
  const bool kept = !in_vain && keep_private(with_value).ok();
  std::vector<eventstore::Submission> submissions;
  for (BatchItem& item : items) {
    const std::string& id = item.prepared->context.request_id;
    if (item.prepared->extra && !kept) {
      item.respond(in_vain ? overloaded(id) : not_kept(id));
      continue;
    }
    submissions.push_back(submission(item.prepared, std::move(item.respond)));
    submissions.back().is_held_back = std::move(item.is_held_back);
  }
  services_.ledger.submit(std::move(submissions));
}

eventstore::Submission CommandService::submission(const std::shared_ptr<Prepared>& prepared,
                                                  Respond respond) {
  mint_keys(*prepared);
  eventstore::Command& command = prepared->command;
  if (!command.idempotency_key.empty()) {
    const std::string scope = command.tenant.value() + "/" + command.account.value();
    respond = in_flight_.guard(scope, command.idempotency_key, prepared->context.request_id,
                               std::move(respond));
  }
  eventstore::Command submitted = std::move(command);
  // Whose it is: all that finish() asks for.
  command = {};
  command.tenant = submitted.tenant;
  command.account = submitted.account;
  return {std::move(submitted),
          [this, prepared, respond = std::move(respond)](const eventstore::Answer& answer) {
            finish(*prepared, answer, respond);
          },
          {}};
}

std::optional<HttpResponse> CommandService::read_headers(const WriteRequest& request,
                                                         eventstore::Command& command) const {
  if (request.idempotency_key) {
    const std::string& key = *request.idempotency_key;
    if (!is_idempotency_key(key)) {
      return problem(400, "malformed-idempotency-key", "1 to 255 visible ASCII characters",
                     request.request_id);
    }
    command.idempotency_key = key;
  } else if (request.route->key == KeyRule::kRequired) {
    return problem(400, "malformed-idempotency-key", "an Idempotency-Key is required",
                   request.request_id);
  }
  if (request.if_match) {
    command.if_match = parse_if_match(*request.if_match);
    if (!command.if_match) {
      return problem(400, "malformed-header", "If-Match must be a quoted version",
                     request.request_id);
    }
  }
  return std::nullopt;
}

/// Looks which tags have the very text that is to be set, so that the decision can tell: it has the
/// reference and not the text. Whatever happened since the look, it compares with the reference of
/// its own moment, so what is missed here, or gone by then, costs an event and nothing else.
void CommandService::find_same_extras(const std::vector<Prepared*>& prepared) const {
  std::map<AccountId, std::vector<domain::AccountTag>> with_extra;
  for (Prepared* each : prepared) {
    const TenantId& tenant = each->command.tenant;
    const AccountId& account = each->command.account;
    const auto [known, is_new] = with_extra.try_emplace(account);
    if (is_new) {
      auto state = services_.index.account_state(tenant, account);
      if (!state.ok()) continue;
      std::erase_if(state->tags, [](const auto& tag) { return !tag.extra; });
      known->second = std::move(state->tags);
    }
    domain::SetTag& wanted = tag_of(each->command);
    for (const auto& tag : known->second) {
      if (tag.service != wanted.service || tag.name != wanted.tag) continue;
      const auto text = services_.private_store.get(tenant, account, *tag.extra);
      if (text.ok() && *text == each->extra) wanted.same_as = tag.extra;
    }
  }
}

/// Stores what must not be in the log, durably, before the events that refer to it. All are of one
/// tenant.
Status CommandService::keep_private(const std::vector<Prepared*>& prepared) {
  find_same_extras(prepared);
  std::vector<eventstore::PrivateStore::Value> values;
  for (const Prepared* each : prepared) {
    values.push_back({each->command.tenant, each->command.account, *each->extra});
  }
  auto kept = services_.private_store.put(values);
  if (!kept.ok()) return kept.status();
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    tag_of(prepared[i]->command).extra = prepared[i]->kept = std::move((*kept)[i]);
  }
  return {};
}

void CommandService::mint_keys(Prepared& prepared) const {
  auto* tenant_command = std::get_if<domain::TenantCommand>(&prepared.command.body);
  if (tenant_command == nullptr) return;
  domain::KeyGrant* grant = nullptr;
  if (auto* create = std::get_if<domain::CreateTenant>(tenant_command)) {
    grant = &create->first_key;
  } else if (auto* key = std::get_if<domain::CreateApiKey>(tenant_command)) {
    grant = &key->key;
  }
  if (grant == nullptr) return;
  MintedKey minted =
      mint_key(services_.random, services_.key_pepper, grant->name, grant->roles, grant->accounts);
  *grant = std::move(minted.key);
  prepared.context.secret = std::move(minted.secret);
}

void CommandService::finish(const Prepared& prepared, const eventstore::Answer& answer,
                            const Respond& respond) {
  const auto& command = prepared.command;
  const bool is_recorded = answer.kind == eventstore::AnswerKind::kRecorded &&
                           std::holds_alternative<domain::TagSet>(answer.event->event.event);
  // Unknown: the event may be there, and then the value is wanted; the next opening knows.
  const bool is_orphan =
      prepared.kept && !is_recorded && answer.kind != eventstore::AnswerKind::kUnknown;
  if (is_orphan) {
    services_.private_follower.discard(command.tenant, command.account, *prepared.kept);
  }
  HttpResponse response = to_response(answer, prepared.context);
  const bool erases = prepared.erases && answer.event != nullptr &&
                      std::holds_alternative<domain::PrivateDataErased>(answer.event->event.event);
  if (!erases) return respond(std::move(response));
  answer_when_erased(answer.event->position + 1, std::move(response), prepared.context.request_id,
                     respond);
}

/// The values go after the event that says so; the answer says that they are gone.
void CommandService::answer_when_erased(std::uint64_t position, HttpResponse response,
                                        const std::string& request_id, Respond respond) {
  const auto shared = std::make_shared<Respond>(std::move(respond));
  const auto not_yet = [shared, request_id] {
    (*shared)(later("storage-degraded",
                    "recorded, and not erased yet: done at the next start at the latest",
                    request_id));
  };
  const bool waits = services_.private_follower.when_applied(
      position, kEraseWaitMicros, [shared, not_yet, response = std::move(response)](bool applied) {
        if (!applied) return not_yet();
        (*shared)(response);
      });
  if (!waits) not_yet();
}

}  // namespace daybook::api
