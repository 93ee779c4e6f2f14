#include "api/batch.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "api/body_reader.h"
#include "api/http_gate.h"
#include "api/json_reader.h"
#include "api/problem.h"
#include "api/query_params.h"

namespace daybook::api {
namespace {

/// A batch has at most this many members and elements in all, in either form.
constexpr JsonLimits kBatchJsonLimits{32, 2'000'000};
/// Commands that are made ready before they are submitted together: enough for a group commit that
/// is worth its syncs, and few beside the body that they come from.
constexpr std::size_t kChunkCommands = 256;

/// Collects the results and answers when the last one is there. Any thread.
class Results {
 public:
  /// One more than the items is awaited: release(), so that none answers before all are submitted.
  Results(std::size_t count, bool ndjson, Respond respond)
      : items_(count), left_(count + 1), ndjson_(ndjson), respond_(std::move(respond)) {}

  void set(std::size_t index, HttpResponse response) {
    // What the header Idempotent-Replayed says of a single request.
    const auto& headers = response.headers;
    const bool is_replay = std::any_of(headers.begin(), headers.end(), [](const auto& header) {
      return header.first == "Idempotent-Replayed";
    });
    items_[index] = {response.status, is_replay, std::move(response.body)};
    release();
  }
  void release() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish();
  }

 private:
  struct Answered {
    int status = 0;
    bool is_replay = false;
    std::string body;
  };

  void finish() {
    HttpResponse response;
    response.headers.emplace_back("Content-Type",
                                  ndjson_ ? "application/x-ndjson" : "application/json");
    constexpr std::size_t kAround = 64;
    std::size_t bytes = kAround;
    for (const Answered& item : items_) bytes += kAround + item.body.size();
    std::string& body = response.body;
    body.reserve(bytes);
    if (!ndjson_) body = "{\"results\":[";
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (i != 0 && !ndjson_) body.push_back(',');
      append(body, items_[i]);
      if (ndjson_) body.push_back('\n');
    }
    if (!ndjson_) body += "]}";
    respond_(std::move(response));
  }
  static void append(std::string& body, const Answered& item) {
    body += "{\"body\":";
    body += item.body;
    if (item.is_replay) body += ",\"replayed\":true";
    body += ",\"status\":";
    body += std::to_string(item.status);
    body.push_back('}');
  }

  std::vector<Answered> items_;
  std::atomic<std::size_t> left_;
  bool ndjson_;
  Respond respond_;
};

/// The commands of a body in either form, or what is wrong with it.
std::variant<std::vector<JsonValue>, HttpResponse> read_items(const HttpRequest& request,
                                                              bool ndjson) {
  const auto malformed = [&](const std::string& detail) {
    return problem(400, "malformed-json", detail, request.request_id);
  };
  const auto invalid = [&](std::string pointer, std::string detail) {
    ProblemExtras extras;
    extras.errors.push_back({std::move(pointer), std::move(detail)});
    return problem(422, "validation", "the batch is not valid", request.request_id, extras);
  };
  std::vector<JsonValue> items;
  if (ndjson) {
    std::string_view rest = request.body;
    std::size_t values = 0;
    for (std::size_t number = 1; !rest.empty(); ++number) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty()) continue;
      if (items.size() == kBatchCommandsMax) return invalid("", "more than 10,000 commands");
      ++values;  // The line, as the element that it is in the other form.
      auto value = parse_json(line, kBatchJsonLimits, values);
      if (const auto* error = std::get_if<JsonError>(&value)) {
        return malformed("line " + std::to_string(number) + ": " + error->detail);
      }
      items.push_back(std::move(std::get<JsonValue>(value)));
    }
    return items;
  }
  auto value = parse_json(request.body, kBatchJsonLimits);
  if (const auto* error = std::get_if<JsonError>(&value)) return malformed(error->detail);
  auto* object = std::get<JsonValue>(value).object();
  if (object == nullptr) return invalid("", "must be an object");
  for (auto& member : *object) {
    if (member.name != "commands") return invalid(pointer_into("", member.name), "unknown member");
    auto* array = member.value.array();
    if (array == nullptr) return invalid("/commands", "must be a list");
    if (array->size() > kBatchCommandsMax) return invalid("/commands", "more than 10,000 commands");
    items = std::move(*array);
  }
  if (object->empty()) return invalid("/commands", "is required");
  return items;
}

struct Item {
  WriteRequest request;
  JsonValue body;

  /// The account that it is about; empty: the tenant.
  std::string account() const {
    if (const auto named = request.params.find("account"); named != request.params.end()) {
      return named->second;
    }
    const JsonValue* id = body.find("id");
    const bool opens = request.route->operation == Operation::kOpenAccount;
    return opens && id != nullptr && id->string() != nullptr ? *id->string() : "";
  }
};

/// Accounts of a batch with a command that was not done for now: what follows it must wait, too,
/// or the retry would come out of order. Any thread.
class Held {
 public:
  /// The command of that index was not done.
  void add(const std::string& account, std::size_t index) {
    const std::lock_guard lock(mutex_);
    const auto [first, is_new] = first_.emplace(account, index);
    if (!is_new) first->second = std::min(first->second, index);
  }
  /// One before that index was not: several are made ready before the first of them is submitted.
  bool holds(const std::string& account, std::size_t index) const {
    const std::lock_guard lock(mutex_);
    const auto first = first_.find(account);
    return first != first_.end() && first->second < index;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::size_t> first_;
};

/// One command of the batch as the request it stands for, or its own answer.
std::variant<Item, HttpResponse> read_item(JsonValue& value, const Principal& principal,
                                           const TenantId& first_tenant, std::string request_id) {
  ProblemExtras extras;
  const auto member_text = [&](const JsonMember& member) {
    const std::string* text = member.value.string();
    if (text == nullptr)
      extras.errors.push_back({pointer_into("", member.name), "must be a string"});
    return text == nullptr ? std::string() : *text;
  };
  Item item;
  std::string target;
  item.body = JsonValue(JsonValue::Object());
  JsonValue::Object none;
  auto* object = value.object();
  if (object == nullptr) extras.errors.push_back({"", "must be an object"});
  for (auto& member : object == nullptr ? none : *object) {
    if (member.name == "method") {
      item.request.method = member_text(member);
    } else if (member.name == "path") {
      target = member_text(member);
    } else if (member.name == "idempotency_key") {
      item.request.idempotency_key = member_text(member);
    } else if (member.name == "if_match") {
      item.request.if_match = member_text(member);
    } else if (member.name == "body") {
      item.body = std::move(member.value);
    } else {
      extras.errors.push_back({pointer_into("", member.name), "unknown member"});
    }
  }
  if (item.request.method.empty()) extras.errors.push_back({"/method", "is required"});
  if (target.empty()) extras.errors.push_back({"/path", "is required"});
  if (!extras.errors.empty()) {
    return problem(422, "validation", "the command is not valid", request_id, extras);
  }
  auto path = decode_target_path(target);
  if (!path) return problem(400, "malformed-target", "the path is malformed", request_id);
  auto route = find_route(item.request.method, *path);
  if (std::holds_alternative<PathNotFound>(route)) {
    return problem(404, "not-found", kNoSuchPath, request_id);
  }
  auto* match = std::get_if<RouteMatch>(&route);
  const bool is_write = match != nullptr && match->route->key != KeyRule::kNone;
  if (!is_write) {
    return problem(405, "method-not-allowed", "not a command that a batch may hold", request_id);
  }
  if (!is_allowed(principal, match->route->access, first_tenant)) {
    return problem(403, "forbidden", "the key has no role for this", request_id);
  }
  item.request.route = match->route;
  item.request.params = std::move(match->params);
  const std::size_t question = target.find('?');
  item.request.path = std::move(*path);
  if (question != std::string::npos) item.request.query = target.substr(question + 1);
  item.request.principal = principal;
  item.request.request_id = std::move(request_id);
  return item;
}

}  // namespace

bool is_allowed(const Principal& principal, Access access, const TenantId& first_tenant) {
  using domain::Role;
  const auto& roles = principal.roles;
  switch (access) {
    case Access::kPublic:
      return true;
    case Access::kReadAccount:
      return roles.has(Role::kAdmin) || roles.has(Role::kOperator) || roles.has(Role::kAuditor) ||
             roles.has(Role::kClient);
    case Access::kRead:
      return roles.has(Role::kAdmin) || roles.has(Role::kOperator) || roles.has(Role::kAuditor);
    case Access::kAudit:
      return roles.has(Role::kAdmin) || roles.has(Role::kAuditor);
    case Access::kCommand:
      return roles.has(Role::kAdmin) || roles.has(Role::kOperator);
    case Access::kAdmin:
      return roles.has(Role::kAdmin);
    case Access::kNode:
      return principal.tenant == first_tenant && is_allowed(principal, Access::kRead, first_tenant);
    case Access::kFirstTenant:
      return roles.has(Role::kAdmin) && principal.tenant == first_tenant;
  }
  return false;
}

void run_batch(const HttpRequest& request, const BatchContext& context, Respond respond) {
  const auto type = request.header("Content-Type");
  const bool ndjson = type && media_type(*type) == "application/x-ndjson";
  const auto query = QueryParams::parse(request.query, {});
  if (const auto* errors = std::get_if<std::vector<FieldError>>(&query)) {
    return respond(invalid_query(request.request_id, *errors));
  }
  auto items = read_items(request, ndjson);
  if (auto* refusal = std::get_if<HttpResponse>(&items)) return respond(std::move(*refusal));
  auto& values = std::get<std::vector<JsonValue>>(items);
  auto results = std::make_shared<Results>(values.size(), ndjson, std::move(respond));
  const auto held = std::make_shared<Held>();
  std::vector<CommandService::BatchItem> chunk;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto item = read_item(values[i], context.principal, context.first_tenant,
                          request.request_id + "-" + std::to_string(i));
    if (auto* refusal = std::get_if<HttpResponse>(&item)) {
      results->set(i, std::move(*refusal));
      continue;
    }
    auto& command = std::get<Item>(item);
    std::string account = command.account();
    if (held->holds(account, i)) {
      results->set(i, problem(503, "overloaded", "an earlier command of the batch was not done",
                              command.request.request_id));
      continue;
    }
    auto prepared = context.commands.prepare(std::move(command.request), command.body);
    if (auto* refusal = std::get_if<HttpResponse>(&prepared)) {
      results->set(i, std::move(*refusal));
      continue;
    }
    chunk.push_back({std::get<0>(std::move(prepared)),
                     [results, held, account, i](HttpResponse response) {
                       if (response.status == 503) held->add(account, i);
                       results->set(i, std::move(response));
                     },
                     [held, account, i] { return held->holds(account, i); }});
    if (chunk.size() == kChunkCommands) context.commands.submit(std::exchange(chunk, {}));
  }
  context.commands.submit(std::move(chunk));
  results->release();
}

}  // namespace daybook::api
