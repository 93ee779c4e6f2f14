#include "app/import_target.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/answers.h"
#include "api/command_json.h"
#include "api/http_message.h"
#include "api/json_reader.h"
#include "app/countdown.h"
#include "app/focus_items.h"
#include "app/http_client.h"
#include "app/node.h"
#include "domain/base/check.h"
#include "domain/base/result.h"
#include "domain/base/strong_id.h"
#include "eventstore/command.h"
#include "eventstore/json_text.h"
#include "eventstore/position.h"

namespace daybook::app {
namespace {

using api::JsonValue;
using eventstore::JsonObject;

constexpr int kBusy = 503;

std::optional<std::uint64_t> position_in(const JsonValue& value) {
  const auto position = eventstore::parse_position(text_member(value, "position"));
  return position ? std::optional(position->position) : std::nullopt;
}

}  // namespace

Result<std::vector<ImportOutcome>> NodeTarget::run(const std::vector<ImportItem>& items) {
  std::vector<ImportOutcome> outcomes(items.size());
  if (items.empty()) return outcomes;
  const auto countdown = std::make_shared<Countdown>(items.size());
  const TenantId tenant(kFirstTenant);
  api::AnswerContext context;
  context.is_post = true;
  context.request_id = "import";
  context.generation = node_.generation();
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto read = command_of(items[i], tenant);
    auto* input = std::get_if<api::CommandBody>(&read);
    CHECK(input != nullptr);  // The first pass has looked at every item.
    eventstore::Command command;
    command.tenant = tenant;
    command.account = AccountId(items[i].account);
    command.body = std::move(input->body);
    command.effective_at = input->effective_at;
    command.actor = "system";
    command.idempotency_key = items[i].idempotency_key;
    command.fingerprint = node_.fingerprint(identity_of(items[i]));
    node_.submit(std::move(command),
                 [&outcomes, &context, countdown, i](const eventstore::Answer& answer) {
                   api::HttpResponse response = to_response(answer, context);
                   outcomes[i] = {response.status, answer.kind == eventstore::AnswerKind::kReplayed,
                                  std::move(response.body)};
                   countdown->arrive();
                 });
  }
  countdown->wait();
  return outcomes;
}

Result<std::unique_ptr<HttpTarget>> HttpTarget::open(const std::string& url,
                                                     const std::string& key_file) {
  auto client = HttpClient::open(url, key_file);
  if (!client.ok()) return client.status();
  auto answer = (*client)->send({"GET", "/readyz"});
  if (!answer.ok()) return answer.status();
  auto ready = json_of(*answer);
  if (!ready.ok()) return ready.status();
  const auto position = position_in(*ready);
  if (!position) return invalid(url + " does not answer as a ledger does");
  return std::unique_ptr<HttpTarget>(new HttpTarget(std::move(*client), *position));
}

Result<std::vector<ImportOutcome>> HttpTarget::run(const std::vector<ImportItem>& items) {
  std::vector<ImportOutcome> outcomes;
  if (items.empty()) return outcomes;
  std::string body = "{\"commands\":[";
  for (const ImportItem& item : items) {
    if (body.back() == '}') body += ',';
    body += JsonObject()
                .string("method", "POST")
                .string("path", item.path)
                .string("idempotency_key", item.idempotency_key)
                .raw("body", item.body)
                .text();
  }
  body += "]}";
  auto answer = client_->send({"POST", "/v1/batch", std::move(body)});
  if (!answer.ok()) return answer.status();
  if (answer->status == kBusy) {
    // Not begun: what each item would be answered, so that they are sent again.
    outcomes.assign(items.size(), {kBusy, false, answer->body});
    return outcomes;
  }
  auto json = json_of(*answer);
  if (!json.ok()) return json.status();
  const JsonValue* results = json->find("results");
  if (results == nullptr || results->array() == nullptr ||
      results->array()->size() != items.size()) {
    return invalid("the server did not answer every command of the batch");
  }
  for (const JsonValue& result : *results->array()) {
    ImportOutcome outcome;
    const JsonValue* status = result.find("status");
    const JsonValue* content = result.find("body");
    if (status == nullptr || status->number() == nullptr || content == nullptr ||
        status->number()->text.size() != 3) {
      return invalid("the server's answer to a batch is malformed");
    }
    for (const char digit : status->number()->text) {
      outcome.status = outcome.status * 10 + (digit - '0');
    }
    outcome.body = canonical_text(*content);
    const JsonValue* event = content->find("event");
    const auto position = event == nullptr ? std::nullopt : position_in(*event);
    outcome.replayed = position && *position <= last_position_;
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

}  // namespace daybook::app
