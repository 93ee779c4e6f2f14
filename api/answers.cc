#include "api/answers.h"

#include <utility>

#include "api/problem.h"
#include "domain/base/check.h"
#include "eventstore/digest.h"
#include "eventstore/event_id.h"
#include "eventstore/json_text.h"
#include "eventstore/position.h"
#include "eventstore/public_json.h"

namespace daybook::api {
namespace {

using domain::RefusalReason;
using eventstore::Answer;
using eventstore::AnswerKind;
using eventstore::JsonObject;
using eventstore::PlacedEvent;

std::string position_text(const PlacedEvent& placed, std::uint32_t generation) {
  return to_text(eventstore::PublicPosition{generation, 0, placed.position});
}

struct Refusal {
  std::string_view command;  ///< Empty: a charge.
  RefusalReason reason;
  std::optional<domain::Money> amount;
  std::optional<domain::Money> short_by;
};

std::optional<Refusal> refusal_in(const domain::Event& event) {
  if (const auto* charge = std::get_if<domain::ChargeRefused>(&event)) {
    return Refusal{"", charge->reason, charge->amount, charge->short_by};
  }
  if (const auto* command = std::get_if<domain::CommandRefused>(&event)) {
    return Refusal{command->command, command->reason, command->amount, command->short_by};
  }
  return std::nullopt;
}

std::string_view detail_of(const Refusal& refusal) {
  switch (refusal.reason) {
    case RefusalReason::kInsufficientFunds:
      // Credit can be used, and not paid out.
      if (refusal.command == "payout") return "the balance less the holds is below the amount";
      return "the available funds do not cover the amount";
    case RefusalReason::kAccountFrozen:
      return "the account is frozen";
    case RefusalReason::kAccountClosed:
      return "the account is closed";
    case RefusalReason::kBalanceNotZero:
      return "the account has a balance that is not zero";
    case RefusalReason::kHoldsOpen:
      return "the account has open holds";
    case RefusalReason::kExceedsOriginal:
      return "the amount exceeds what is left of the original";
    case RefusalReason::kHoldNotOpen:
      return "the hold has ended";
    case RefusalReason::kAlreadyReversed:
      return "the top-up was reversed before";
    case RefusalReason::kPaymentConflict:
      return "this provider payment was counted on another account or with another amount";
    case RefusalReason::kLimitReached:
      return "the account or tenant holds as many as it may";
    case RefusalReason::kAccountExists:
      return "an account with this id exists";
    case RefusalReason::kTenantExists:
      return "a tenant with this id exists";
    case RefusalReason::kLastAdminKey:
      return "the last admin key cannot be revoked";
  }
  CHECK(false);
}

/// What a refusal says in numbers.
ProblemExtras extras_of(const Refusal& refusal) {
  ProblemExtras extras;
  if (!refusal.short_by) return extras;
  if (refusal.reason != RefusalReason::kExceedsOriginal) {
    extras.members.emplace_back("short_by", eventstore::money_json(*refusal.short_by));
    return extras;
  }
  CHECK(refusal.amount.has_value());
  const auto left = domain::checked_subtract(refusal.amount->amount, refusal.short_by->amount);
  CHECK(left.has_value());
  extras.members.emplace_back("left", eventstore::money_json({*left, refusal.amount->currency}));
  return extras;
}

/// What every answer says of its event. `position` is position_text() of it.
void append_head(std::string& out, const domain::RecordedEvent& event, std::string_view position) {
  JsonObject head(std::move(out));
  if (event.stream.kind == domain::StreamKind::kAccount) head.string("account", event.stream.id);
  head.string("actor", event.actor)
      .string("effective_at", to_rfc3339(event.effective_at))
      .string("id", eventstore::event_id(event.stream, event.version))
      .string("position", position)
      .string("recorded_at", to_rfc3339(event.recorded_at))
      .string("type", domain::name_of(event.event))
      .number("version", event.version);
  out = head.text();
}

/// The result: the event's data; a new tenant's id, which stands in no event; the secret of a new
/// key where this command made it.
void append_result(std::string& out, const PlacedEvent& placed,
                   const std::optional<std::string>& secret) {
  const std::size_t start = out.size();
  eventstore::append_public_data_json(out, placed.event);
  if (std::holds_alternative<domain::TenantCreated>(placed.event.event)) {
    const std::string id = eventstore::json_string(placed.event.stream.tenant.value());
    out.insert(start + 1, "\"id\":" + id + ",");
  }
  if (!secret) return;
  // The key's own object is the one that ends with its "secret_commitment" member or has members
  // after it; the secret goes in front of it, which keeps the order of names.
  const std::size_t at = out.find("\"secret_commitment\":", start);
  CHECK(at != std::string::npos);
  out.insert(at, "\"secret\":" + eventstore::json_string(*secret) + ",");
}

HttpResponse recorded(const Answer& answer, const AnswerContext& context) {
  const PlacedEvent& shown = answer.original != nullptr ? *answer.original : *answer.event;
  const domain::RecordedEvent& event = shown.event;
  const bool is_replay = answer.kind == AnswerKind::kReplayed;
  std::string position = position_text(shown, context.generation);
  HttpResponse response;
  if (const auto refusal = refusal_in(event.event)) {
    response = problem(409, domain::name_of(refusal->reason), detail_of(*refusal),
                       eventstore::event_id(event.stream, event.version), extras_of(*refusal));
  } else {
    response.status = context.is_post ? 201 : 200;
    response.headers.reserve(4);
    response.headers.emplace_back("Content-Type", "application/json");
    const auto secret = is_replay ? std::nullopt : context.secret;
    JsonObject body;
    body.with("event", [&](std::string& out) { append_head(out, event, position); })
        .with("result", [&](std::string& out) { append_result(out, shown, secret); });
    response.body = body.text();
  }
  response.headers.emplace_back("Daybook-Position", std::move(position));
  response.headers.emplace_back("ETag", "\"" + std::to_string(event.version) + "\"");
  if (is_replay) response.headers.emplace_back("Idempotent-Replayed", "true");
  return response;
}

HttpResponse unchanged(const Answer& answer, const AnswerContext& context) {
  const std::uint64_t last = answer.position == 0 ? 0 : answer.position - 1;
  const std::string position = to_text(eventstore::PublicPosition{context.generation, 0, last});
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.headers.emplace_back("Daybook-Position", position);
  response.headers.emplace_back("ETag", "\"" + std::to_string(answer.version) + "\"");
  response.body = JsonObject().null("event").null("result").string("position", position).text();
  return response;
}

HttpResponse rejected(const Answer& answer, const AnswerContext& context) {
  const auto& rejection = answer.rejection;
  if (rejection.kind == domain::RejectionKind::kNotFound) {
    return problem(404, "not-found", "there is no such object", context.request_id);
  }
  ProblemExtras extras;
  extras.errors.push_back({rejection.pointer, rejection.detail});
  return problem(422, "validation", rejection.detail, context.request_id, extras);
}

HttpResponse retry_later(HttpResponse response) {
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

std::string event_row_json(const PlacedEvent& placed, std::uint32_t generation) {
  const std::string canonical = eventstore::public_json(placed.event);
  std::string row = canonical.substr(0, canonical.size() - 1);
  row += ",\"hash\":\"" + eventstore::to_hex(eventstore::public_hash(canonical));
  row += "\",\"position\":\"" + position_text(placed, generation) + "\"}";
  return row;
}

HttpResponse to_response(const Answer& answer, const AnswerContext& context) {
  const std::string& id = context.request_id;
  switch (answer.kind) {
    case AnswerKind::kRecorded:
    case AnswerKind::kReplayed:
      return recorded(answer, context);
    case AnswerKind::kUnchanged:
      return unchanged(answer, context);
    case AnswerKind::kRejected:
      return rejected(answer, context);
    case AnswerKind::kKeyReused:
      return problem(422, "idempotency-key-reuse",
                     "this Idempotency-Key stands for another request", id);
    case AnswerKind::kVersionMismatch: {
      ProblemExtras extras;
      extras.members.emplace_back("current_version", std::to_string(answer.version));
      return problem(412, "precondition-failed", "If-Match is not the current version", id, extras);
    }
    case AnswerKind::kRefusalsLimited:
      return retry_later(problem(429, "rate-limited", "too many refusals on this account", id));
    case AnswerKind::kOverloaded:
      return retry_later(problem(503, "overloaded", "nothing was done; send it again later", id));
    case AnswerKind::kUnknown:
      return retry_later(problem(503, "storage-degraded",
                                 "the outcome is unknown; the same Idempotency-Key will tell", id));
  }
  CHECK(false);
}

}  // namespace daybook::api
