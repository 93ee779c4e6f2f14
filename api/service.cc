#include "api/service.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <variant>

#include "api/contract.h"
#include "api/path_rule.h"
#include "api/problem.h"
#include "api/queries.h"
#include "domain/base/check.h"
#include "eventstore/json_text.h"
#include "eventstore/position.h"

namespace daybook::api {
namespace {

constexpr std::string_view kBearer = "Bearer ";

HttpResponse unauthenticated(const std::string& request_id) {
  HttpResponse response =
      problem(401, "unauthenticated", "a valid API key is required: Authorization: Bearer <key>",
              request_id);
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

HttpResponse retry_later(HttpResponse response) {
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse not_found(const std::string& request_id) {
  return problem(404, "not-found", "there is no such object", request_id);
}

bool is_event_list(Operation operation) {
  return operation == Operation::kListEvents || operation == Operation::kListAccountEvents;
}

/// Whether an Accept header lets the answer of a route through.
bool accepts(std::string_view accept, Operation operation) {
  const auto takes = [&](std::string_view type) {
    return accept.find(type) != std::string_view::npos;
  };
  if (takes("*/*")) return true;
  if (operation == Operation::kMetrics || operation == Operation::kDocs) return takes("text/");
  if (operation == Operation::kBatch && takes("application/x-ndjson")) return true;
  return takes("application/json") || takes("application/*") || takes("application/problem+json");
}

/// Whether a route goes on working below the reserve of the disk: it adds little and cannot wait.
bool is_spared(const Route& route) {
  return route.operation == Operation::kRevokeKey ||
         route.operation == Operation::kErasePrivateData;
}

bool is_query(const Route& route) {
  return route.method == "GET" && route.access != Access::kPublic;
}

/// RFC 9110 section 9.3.2: HEAD is GET, and the edge leaves the body out.
std::string_view routed_method(const HttpRequest& head) {
  return head.method == "HEAD" ? std::string_view("GET") : head.method;
}

/// What the head announces; the gate has seen that it is a number.
std::uint64_t body_bytes_of(const HttpRequest& head) {
  const std::string_view text = head.header("Content-Length").value_or("0");
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  return error == std::errc() && end == text.data() + text.size() ? bytes : UINT64_MAX;
}

std::optional<std::string> owned(std::optional<std::string_view> text) {
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

}  // namespace

std::variant<Service::Admitted, HttpResponse> Service::admit(const HttpRequest& head) const {
  auto route = find_route(routed_method(head), head.path);
  if (std::holds_alternative<PathNotFound>(route)) {
    return problem(404, "not-found", kNoSuchPath, head.request_id);
  }
  if (const auto* wrong = std::get_if<MethodNotAllowed>(&route)) {
    HttpResponse response =
        problem(405, "method-not-allowed", "this path has other methods", head.request_id);
    response.headers.emplace_back("Allow", wrong->allow);
    return response;
  }
  Admitted admitted{std::move(std::get<RouteMatch>(route)), {}};
  const Route& wanted = *admitted.match.route;
  if (wanted.access == Access::kPublic) return admitted;

  const auto authorization = head.header("Authorization");
  if (!authorization || authorization->size() <= kBearer.size() ||
      !same_token(authorization->substr(0, kBearer.size()), kBearer)) {
    return unauthenticated(head.request_id);
  }
  auto principal = parts_.keys.authenticate(authorization->substr(kBearer.size()));
  if (!principal) return unauthenticated(head.request_id);
  if (!is_allowed(*principal, wanted.access, parts_.first_tenant)) {
    return problem(403, "forbidden", "the key has no role for this", head.request_id);
  }
  if (auto errors = path_errors(admitted.match.params); !errors.empty()) {
    ProblemExtras extras;
    extras.errors = std::move(errors);
    return problem(422, "validation", "the path is not valid", head.request_id, extras);
  }
  const auto account = admitted.match.params.find("account");
  if (account != admitted.match.params.end() && !principal->may_read(AccountId(account->second))) {
    return not_found(head.request_id);
  }
  admitted.principal = std::move(*principal);
  return admitted;
}

std::optional<HttpResponse> Service::check_media(const HttpRequest& head,
                                                 const Route& route) const {
  const auto accept = head.header("Accept");
  const bool acceptable =
      !accept || (is_event_list(route.operation) ? event_format(accept).has_value()
                                                 : accepts(*accept, route.operation));
  if (!acceptable) {
    return problem(406, "not-acceptable", "the answer has none of the accepted types",
                   head.request_id);
  }
  const auto length = head.header("Content-Length");
  if (!length || *length == "0") return std::nullopt;
  const auto type = head.header("Content-Type");
  const std::string given = type ? media_type(*type) : "";
  const bool known = given == "application/json" ||
                     (route.operation == Operation::kBatch && given == "application/x-ndjson");
  if (known && is_utf8_media(*type)) return std::nullopt;
  return problem(415, "unsupported-media-type",
                 route.operation == Operation::kBatch
                     ? "Content-Type must be application/json or application/x-ndjson, in UTF-8"
                     : "Content-Type must be application/json, in UTF-8",
                 head.request_id);
}

/// Every answer counts, the refusals before a body included. The method is one of ours or "other",
/// and a path that is no route's is "none": what clients invent must not make new series.
void Service::count(std::string_view method, const Route* route, const std::string& request_id,
                    int status) const {
  static constexpr std::array<std::string_view, 4> kMethods{"GET", "POST", "PUT", "DELETE"};
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) method = "other";
  parts_.metrics.count_request(method, route == nullptr ? "none" : route->pattern, status);
  if (status < 500 || parts_.operator_log == nullptr) return;
  const std::string what = "answered " + std::to_string(status);
  const std::string where(route == nullptr ? "none" : route->pattern);
  parts_.operator_log->failed(what, unavailable(std::string(method) + " " + where), request_id);
}

std::variant<HttpResponse, BodyLimit> Service::on_header(const HttpRequest& head) {
  auto answer = look_at(head);
  const auto* refusal = std::get_if<HttpResponse>(&answer);
  const bool is_too_large =
      refusal == nullptr && body_bytes_of(head) > std::get<BodyLimit>(answer).bytes;
  if (refusal == nullptr && !is_too_large) return answer;
  const std::string_view method = routed_method(head);
  const auto route = find_route(method, head.path);
  const auto* match = std::get_if<RouteMatch>(&route);
  // The edge answers what is too large.
  count(method, match == nullptr ? nullptr : match->route, head.request_id,
        is_too_large ? 413 : refusal->status);
  return answer;
}

std::variant<HttpResponse, BodyLimit> Service::look_at(const HttpRequest& head) const {
  auto admitted = admit(head);
  if (auto* refusal = std::get_if<HttpResponse>(&admitted)) return std::move(*refusal);
  auto ready = std::make_shared<Admitted>(std::move(std::get<Admitted>(admitted)));
  const Route& route = *ready->match.route;
  if (auto refusal = check_media(head, route)) return std::move(*refusal);
  if (route.method != "GET" && !is_spared(route) && storage_full_.load(std::memory_order_relaxed)) {
    return problem(507, "storage-full", "the disk is below its reserve; reads go on",
                   head.request_id);
  }
  return BodyLimit{route.body_bytes_max, std::move(ready)};
}

void Service::on_request(HttpRequest request, Respond respond) {
  CHECK(request.context != nullptr);
  Admitted ready = std::move(*std::static_pointer_cast<Admitted>(request.context));
  request.context.reset();
  const Route& route = *ready.match.route;
  Respond counted = [this, &route, id = request.request_id,
                     respond = std::move(respond)](HttpResponse response) {
    count(route.method, &route, id, response.status);
    respond(std::move(response));
  };
  // The key may have been revoked while the body came in.
  if (route.access != Access::kPublic && !parts_.keys.is_valid(ready.principal)) {
    return counted(unauthenticated(request.request_id));
  }
  if (is_query(route) && route.operation != Operation::kMetrics) {
    return run_read(std::move(request), std::move(ready), std::move(counted));
  }
  if (route.method == "GET") {
    return counted(about_process(route.operation, request.request_id));
  }
  run_command(std::move(request), std::move(ready), std::move(counted));
}

void Service::run_command(HttpRequest request, Admitted admitted, Respond respond) {
  if (parts_.ledger.is_overloaded()) {
    return respond(retry_later(
        problem(503, "overloaded", "nothing was done; send it again later", request.request_id)));
  }
  if (admitted.match.route->operation == Operation::kBatch) {
    const std::string id = request.request_id;
    auto shared = std::make_shared<Respond>(std::move(respond));
    const auto refuse = [shared, id] {
      (*shared)(
          retry_later(problem(503, "overloaded", "nothing was done; send it again later", id)));
    };
    const bool taken =
        parts_.batches.post([this, request = std::move(request),
                             principal = std::move(admitted.principal), shared, refuse] {
          // It has waited, perhaps until the end. To parse it only to refuse each command would
          // take from all others.
          if (!parts_.ledger.takes_commands() || parts_.ledger.is_overloaded()) return refuse();
          run_batch(request, {principal, parts_.first_tenant, parts_.commands}, *shared);
        });
    if (!taken) refuse();
    return;
  }
  WriteRequest write;
  write.route = admitted.match.route;
  write.params = std::move(admitted.match.params);
  write.method = request.method;
  write.path = std::move(request.path);
  write.query = request.query;
  write.idempotency_key = owned(request.header("Idempotency-Key"));
  write.if_match = owned(request.header("If-Match"));
  write.principal = std::move(admitted.principal);
  write.request_id = request.request_id;
  parts_.commands.run(std::move(write), request.body, std::move(respond));
}

/// What a read must have seen before it answers, and which past it asks for.
std::variant<std::uint64_t, HttpResponse> Service::read_point(const QueryParams& query,
                                                              const std::string& request_id,
                                                              ReadPoint& point) const {
  std::vector<FieldError> errors;
  // What was recorded has passed, and what was closed was answered once, though the wall clock may
  // have been set back since.
  const Instant now = std::max(parts_.sources.clock.now(), parts_.sources.log.closed());
  point.as_of = query.instant("as_of", errors);
  point.effective_at = query.instant("effective_at", errors);
  if (point.as_of && *point.as_of > now) {
    errors.push_back({"", "must not lie in the future", "as_of"});
  }
  if (point.as_of && query.find("as_of_position")) {
    errors.push_back({"", "as_of and as_of_position exclude each other", "as_of_position"});
  }
  std::uint64_t wanted = parts_.ledger.committed();
  for (const std::string_view name : {"min_position", "as_of_position"}) {
    const auto text = query.find(name);
    if (!text) continue;
    const auto position = eventstore::parse_position(*text);
    if (!position || position->partition != 0) {
      return problem(400, "malformed-position", std::string(name) + " is not a position",
                     request_id);
    }
    if (position->generation != parts_.generation) {
      return problem(410, "gone", "the position is of another generation of the ledger",
                     request_id);
    }
    if (name == "min_position") {
      wanted = std::max(wanted, position->position + 1);
    } else if (position->position >= wanted) {
      errors.push_back({"", "lies in the future", "as_of_position"});
    } else {
      point.as_of_position = position->position;
    }
  }
  if (!errors.empty()) return invalid_query(request_id, std::move(errors));
  return wanted;
}

void Service::run_read(HttpRequest request, Admitted admitted, Respond respond) {
  const Operation operation = admitted.match.route->operation;
  auto query = QueryParams::parse(request.query, query_names(operation));
  if (const auto* errors = std::get_if<std::vector<FieldError>>(&query)) {
    return respond(invalid_query(request.request_id, *errors));
  }
  ReadRequest read;
  read.operation = operation;
  read.params = std::move(admitted.match.params);
  read.query = std::move(std::get<QueryParams>(query));
  read.principal = std::move(admitted.principal);
  read.request_id = request.request_id;
  read.generation = parts_.generation;
  auto wanted = read_point(read.query, read.request_id, read.point);
  if (auto* refusal = std::get_if<HttpResponse>(&wanted)) return respond(std::move(*refusal));
  const std::uint64_t position = std::get<std::uint64_t>(wanted);
  if (!read.point.as_of) {
    return wait_and_read(position, std::move(read), request, std::move(respond));
  }
  close_and_read(position, std::move(read), std::move(request), std::move(respond));
}

/// Closing the moment makes the answer final: nothing is recorded at or before it any more. It may
/// sync a file, so it is not done on a thread that serves connections.
void Service::close_and_read(std::uint64_t position, ReadRequest read, HttpRequest request,
                             Respond respond) {
  const std::string id = request.request_id;
  auto shared = std::make_shared<Respond>(std::move(respond));
  const auto job = [this, position, read = std::move(read), request = std::move(request), shared] {
    const auto closed = parts_.ledger.close(*read.point.as_of);
    if (!closed.ok()) {
      return (*shared)(retry_later(
          problem(503, "storage-degraded", "the moment cannot be closed", request.request_id)));
    }
    wait_and_read(std::max(position, *closed), read, request, *shared);
  };
  if (!parts_.workers.post(job)) {
    (*shared)(retry_later(problem(503, "overloaded", "send it again later", id)));
  }
}

void Service::wait_and_read(std::uint64_t position, ReadRequest read, const HttpRequest& request,
                            Respond respond) {
  const std::string id = read.request_id;
  const auto format = event_format(request.header("Accept")).value_or(EventFormat::kPage);
  const auto last_event_id = owned(request.header("Last-Event-ID"));
  auto shared = std::make_shared<Respond>(std::move(respond));
  const auto busy = [shared, id] {
    (*shared)(retry_later(problem(503, "overloaded", "send it again later", id)));
  };
  auto job = [this, read = std::move(read), format, last_event_id, shared] {
    (*shared)(is_event_list(read.operation)
                  ? event_response(read, format, last_event_id,
                                   {parts_.sources, parts_.workers, parts_.applied, parts_.keys,
                                    log_entries_, limits_.sse_max_micros})
                  : run_query(read, parts_.sources));
  };
  const bool waits = parts_.projector.when_applied(
      position, limits_.read_wait_micros,
      [this, position, job = std::move(job), busy, shared, id](bool reached) {
        if (!reached) {
          const bool is_logged = position <= parts_.ledger.committed();
          (*shared)(retry_later(problem(503, "projection-lag",
                                        is_logged ? "the read models have not got that far yet"
                                                  : "the log has not got that far yet",
                                        id)));
        } else if (!parts_.workers.post(job)) {
          busy();
        }
      });
  if (!waits) busy();
}

HttpResponse Service::about_process(Operation operation, const std::string& request_id) const {
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  switch (operation) {
    case Operation::kHealth:
      response.body = R"({"status":"ok"})";
      return response;
    case Operation::kReadiness:
      return readiness(request_id);
    case Operation::kVersion:
      response.body = parts_.version;
      return response;
    case Operation::kContract:
      response.body = contract_text();
      return response;
    case Operation::kMetrics:
      return metrics_text();
    default:
      break;
  }
  response.headers.front().second = "text/html; charset=utf-8";
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; connect-src 'self'; script-src "
                                "'unsafe-inline'; style-src 'unsafe-inline'");
  response.body = docs_page();
  return response;
}

HttpResponse Service::readiness(const std::string& request_id) const {
  const auto status = parts_.projector.status();
  const std::uint64_t committed = parts_.ledger.committed();
  const std::uint64_t lag = committed - std::min(committed, status.applied);
  if (parts_.ledger.failed()) {
    return retry_later(
        problem(503, "storage-degraded", "writes cannot be acknowledged", request_id));
  }
  if (storage_full_.load(std::memory_order_relaxed)) {
    return retry_later(problem(503, "storage-degraded",
                               "the disk is below its reserve: writes are refused", request_id));
  }
  if (!status.error.ok()) {
    return retry_later(problem(503, "projection-lag", "a read model has stopped", request_id));
  }
  if (lag > limits_.ready_lag_events_max) {
    return retry_later(problem(503, "projection-lag", "the read models are behind", request_id));
  }
  std::vector<std::string> rows;
  for (const auto& projection : status.projections) {
    const std::uint64_t last = projection.position == 0 ? 0 : projection.position - 1;
    rows.push_back(
        eventstore::JsonObject()
            .string("name", projection.name)
            .string("position", to_text(eventstore::PublicPosition{parts_.generation, 0, last}))
            .number("lag", projection.lag)
            .text());
  }
  const std::uint64_t last = committed == 0 ? 0 : committed - 1;
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body =
      eventstore::JsonObject()
          .string("status", "ready")
          .string("position", to_text(eventstore::PublicPosition{parts_.generation, 0, last}))
          .number("lag", lag)
          .raw("projections", eventstore::json_array(rows))
          .text();
  return response;
}

void Service::show_edge(Metrics& metrics) const {
  if (!edge_stats_) return;
  const HttpServerStats edge = edge_stats_();
  metrics.set_gauge("daybook_http_open_connections", "Connections now.", "", "",
                    edge.open_connections);
  metrics.set_gauge("daybook_http_body_bytes", "Memory of request bodies in flight.", "", "",
                    edge.body_bytes);
  metrics.set_gauge("daybook_http_answer_bytes", "Memory of answers that wait for their readers.",
                    "", "", edge.answer_bytes);
  metrics.set_counter("daybook_http_connections_total", "Connections accepted.", edge.accepted);
  metrics.set_counter("daybook_http_connections_rejected_total",
                      "Connections turned away, there were too many.", edge.rejected);
  metrics.set_counter("daybook_http_edge_requests_total",
                      "Requests that the edge answered or refused.", edge.requests);
  metrics.set_counter("daybook_http_edge_refused_total",
                      "Requests that were no valid HTTP for this server.", edge.refused);
  metrics.set_counter("daybook_http_timeouts_total", "Clients and handlers that were too slow.",
                      edge.timeouts);
  metrics.set_counter("daybook_http_answers_cut_total",
                      "Answers that nobody read when the memory for them was short.",
                      edge.answers_cut);
  metrics.set_counter("daybook_http_failures_total",
                      "Handlers that threw, and answers that could not be sent.", edge.failures);
  metrics.set_counter("daybook_http_accept_failures_total",
                      "Connections that could not be accepted.", edge.accept_failures);
}

HttpResponse Service::metrics_text() const {
  const auto status = parts_.projector.status();
  const auto load = parts_.ledger.load();
  Metrics& metrics = parts_.metrics;
  metrics.set_gauge("daybook_log_events", "Events in the log.", "", "", parts_.ledger.committed());
  metrics.set_gauge("daybook_queue_commands", "Commands that wait for the sequencer.", "", "",
                    load.queued);
  metrics.set_gauge("daybook_resident_streams", "Stream states in memory.", "", "",
                    load.resident_streams);
  metrics.set_gauge("daybook_window_bytes", "Entries kept for the log index.", "", "",
                    load.window_bytes);
  for (const auto& projection : status.projections) {
    metrics.set_gauge("daybook_projection_lag_events", "Committed events not applied yet.",
                      "projection", projection.name, projection.lag);
    metrics.set_gauge("daybook_projection_position", "Events applied.", "projection",
                      projection.name, projection.position);
  }
  show_edge(metrics);
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = metrics.text();
  return response;
}

}  // namespace daybook::api
