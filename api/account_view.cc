#include "api/account_view.h"

#include <algorithm>

#include "api/problem.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/event_codec.h"
#include "eventstore/log_index.h"
#include "eventstore/position.h"
#include "projections/checkpoint.h"
#include "projections/tables.h"

namespace daybook::api {
namespace {

using domain::StreamId;
using projections::StreamReader;

constexpr projections::StreamTables kStreamTables{projections::kStreamsTable,
                                                  projections::kStatesTable};

/// Applies what counts by a time instead of what was recorded. False: nothing counts by then.
Result<bool> count_effective(const StreamReader& stream, Instant effective_at,
                             domain::AccountState& state) {
  auto counted = stream.balance_effective(effective_at, state.version);
  if (!counted.ok()) return counted.status();
  for (auto& balance : state.balances) balance.balance = {};
  for (const auto& sum : counted->sums) {
    const auto known = std::find_if(
        state.balances.begin(), state.balances.end(),
        [&](const domain::CurrencyBalance& item) { return item.currency == sum.currency; });
    if (known != state.balances.end()) {
      known->balance = sum.amount;
    } else {
      state.balances.push_back({sum.currency, sum.amount, {}, {}});
    }
  }
  return counted->counts_anything;
}

/// The last event recorded at or before the time; positions are in the order of time.
Result<std::optional<std::uint64_t>> position_as_of(const eventstore::EventLog& log, Instant time) {
  std::uint64_t low = 0;                          // Everything before it was recorded by then,
  std::uint64_t high = log.head().next_position;  // and nothing from here on.
  while (low < high) {
    auto cursor = log.read(low + (high - low) / 2);
    if (!cursor.ok()) return cursor.status();
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) return corrupt("the log ends before its head");
    if ((*entry)->first_recorded_at > time) {
      high = (*entry)->base_position;
    } else if ((*entry)->last_recorded_at <= time) {
      low = (*entry)->end_position();
    } else {
      auto decoded = eventstore::decode_events(std::move(**entry));
      if (!decoded.ok()) return decoded.status();
      low = decoded->entry.base_position;
      for (const auto& event : decoded->events) {
        if (event.recorded_at <= time) ++low;
      }
      high = low;
    }
  }
  if (low == 0) return std::optional<std::uint64_t>();
  return std::optional(low - 1);
}

}  // namespace

Reading::Reading(const ReadRequest& request, const ReadSources& sources)
    : request_(request), sources_(sources), rows_(sources.store.snapshot()) {}

StreamReader Reading::stream_of(const AccountId& account) const {
  return {*rows_, kStreamTables, StreamId::account(request_.principal.tenant, account)};
}

Result<std::uint64_t> Reading::version_at_point(const StreamReader& stream) const {
  const ReadPoint& point = request_.point;
  if (point.pin) return stream.version_at_position(*point.pin);
  if (point.as_of) return stream.version_as_of(*point.as_of);
  if (point.as_of_position) return stream.version_at_position(*point.as_of_position);
  return stream.last_version();
}

StreamReader Reading::tenant_stream() const {
  return {*rows_, kStreamTables, StreamId::of_tenant(request_.principal.tenant)};
}

Result<projections::TenantTerms> Reading::terms_at_point() const {
  const StreamReader stream = tenant_stream();
  auto version = version_at_point(stream);
  if (!version.ok()) return version.status();
  return stream.terms_at(*version);
}

Result<domain::TenantState> Reading::tenant_at_point() const {
  const StreamReader stream = tenant_stream();
  auto version = version_at_point(stream);
  if (!version.ok()) return version.status();
  return stream.tenant_at(*version);
}

Result<std::optional<std::uint64_t>> Reading::position_at_point() const {
  using Position = std::optional<std::uint64_t>;
  const ReadPoint& point = request_.point;
  if (point.pin) return Position(point.pin);
  if (point.as_of_position) return Position(point.as_of_position);
  if (point.as_of) return position_as_of(sources_.log, *point.as_of);
  auto shown = rows_position();
  if (!shown.ok()) return shown.status();
  return Position(*shown);
}

Result<std::uint64_t> Reading::rows_position() const {
  std::uint64_t next = UINT64_MAX;
  for (eventstore::Table table = 0; table < projections::kTableCount; ++table) {
    auto row = rows_->get(table, projections::kCheckpointKey);
    if (!row.ok()) return row.status();
    const auto checkpoint = *row ? projections::decode_checkpoint(**row) : std::nullopt;
    next = std::min(next, checkpoint ? checkpoint->next_position : 0);
  }
  return next == 0 ? 0 : next - 1;
}

std::string Reading::position_text(std::uint64_t position) const {
  return to_text(eventstore::PublicPosition{request_.generation, 0, position});
}

std::variant<AccountView, HttpResponse> Reading::account_view() const {
  const StreamReader stream = account_stream();
  auto last = stream.last_version();
  if (!last.ok()) return failed(last.status());
  if (*last == 0) return not_found();
  auto version = version_at_point(stream);
  if (!version.ok()) return failed(version.status());
  if (*version == 0) return request_.point.is_past() ? not_yet() : not_found();

  AccountView view;
  auto state = stream.state_at(*version);
  if (!state.ok()) return failed(state.status());
  view.state = std::move(*state);
  if (request_.point.effective_at) {
    auto counts = count_effective(stream, *request_.point.effective_at, view.state);
    if (!counts.ok()) return failed(counts.status());
    // What counts may precede the opening; before both there is nothing to show.
    if (*request_.point.effective_at < view.state.opened_at && !*counts) return not_yet();
  }
  auto terms = terms_at_point();
  if (!terms.ok()) return failed(terms.status());
  view.catalogue = std::move(terms->catalogue);
  if (request_.point.pin) {
    view.position = *request_.point.pin;
  } else if (request_.point.is_past()) {
    auto event = stream.event_at(*version);
    if (!event.ok()) return failed(event.status());
    view.position = (*event)->position;
  } else {
    auto shown = rows_position();
    if (!shown.ok()) return failed(shown.status());
    view.position = *shown;
  }
  view.position_text = position_text(view.position);
  return view;
}

HttpResponse Reading::not_found() const {
  return problem(404, "not-found", "there is no such object", request_.request_id);
}

HttpResponse Reading::not_yet() const {
  return problem(404, "not-yet", "there was no such object at that time", request_.request_id);
}

HttpResponse Reading::failed(const Status& status) const {
  if (status.code() == StatusCode::kInvalid) {
    ProblemExtras extras;
    extras.errors.push_back({"", status.message()});
    return problem(422, "validation", status.message(), request_.request_id, extras);
  }
  // What exactly failed is for the operator's log and `daybook verify`, not for the client.
  if (sources_.operator_log != nullptr) {
    sources_.operator_log->failed("read", status, request_.request_id);
  }
  HttpResponse response =
      problem(503, "storage-degraded", "the ledger could not be read", request_.request_id);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace daybook::api
