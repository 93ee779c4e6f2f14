#include "api/account_view.h"

#include <algorithm>

#include "api/position.h"
#include "api/problem.h"
#include "eventstore/event_codec.h"
#include "eventstore/log_index.h"
#include "projections/checkpoint.h"
#include "projections/tables.h"

namespace daybook::api {
namespace {

using domain::StreamId;
using projections::StreamReader;

constexpr projections::StreamTables kStreamTables{projections::kStreamsTable,
                                                  projections::kStatesTable};

/// Applies what counts by a time instead of what was recorded.
Status count_effective(const StreamReader& stream, Instant effective_at,
                       domain::AccountState& state, bool& counts_anything) {
  auto sums = stream.balance_effective(effective_at, state.version);
  if (!sums.ok()) return sums.status();
  for (auto& balance : state.balances) balance.balance = {};
  for (const auto& sum : *sums) {
    if (!sum.amount.is_zero()) counts_anything = true;
    const auto known = std::find_if(
        state.balances.begin(), state.balances.end(),
        [&](const domain::CurrencyBalance& item) { return item.currency == sum.currency; });
    if (known != state.balances.end()) {
      known->balance = sum.amount;
    } else {
      state.balances.push_back({sum.currency, sum.amount, {}, {}});
    }
  }
  return {};
}

}  // namespace

Reading::Reading(const ReadRequest& request, const ReadSources& sources)
    : request_(request), sources_(sources), rows_(sources.store.snapshot()) {}

StreamReader Reading::account_stream() const {
  return {*rows_, kStreamTables, StreamId::account(request_.principal.tenant, account())};
}

Result<std::uint64_t> Reading::version_at_point(const StreamReader& stream) const {
  if (request_.point.as_of) return stream.version_as_of(*request_.point.as_of);
  if (request_.point.as_of_position) {
    return stream.version_at_position(*request_.point.as_of_position);
  }
  return stream.last_version();
}

Result<domain::TenantState> Reading::tenant() const {
  auto row =
      rows_->get(projections::kStatesTable,
                 eventstore::latest_state_key(StreamId::of_tenant(request_.principal.tenant)));
  if (!row.ok()) return row.status();
  if (!*row) return domain::TenantState{};
  return eventstore::decode_tenant_state(**row);
}

Result<domain::Catalogue> Reading::catalogue_at_point() const {
  if (!request_.point.is_past()) {
    auto state = tenant();
    if (!state.ok()) return state.status();
    return std::move(state->catalogue);
  }
  // A tenant's stream is short, so its past is folded from the beginning.
  const StreamReader stream(*rows_, kStreamTables, StreamId::of_tenant(request_.principal.tenant));
  auto version = version_at_point(stream);
  if (!version.ok()) return version.status();
  domain::TenantState state;
  if (*version > 0) {
    const Status status =
        stream.for_each(1, *version, [&](const eventstore::PlacedEventPtr& placed) {
          domain::evolve(state, placed->event);
          return Status();
        });
    if (!status.ok()) return status;
  }
  return std::move(state.catalogue);
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
  return to_text(PublicPosition{request_.generation, 0, position});
}

std::variant<AccountView, HttpResponse> Reading::account_view() const {
  const StreamReader stream = account_stream();
  auto last = stream.last_version();
  if (!last.ok()) return failed(last.status());
  if (*last == 0) return not_found();
  auto version = version_at_point(stream);
  if (!version.ok()) return failed(version.status());
  const auto not_yet = [&] {
    return problem(404, "not-yet", "the account did not exist at that time", request_.request_id);
  };
  if (*version == 0) return not_yet();

  AccountView view;
  auto state = stream.state_at(*version);
  if (!state.ok()) return failed(state.status());
  view.state = std::move(*state);
  if (request_.point.effective_at) {
    bool counts_anything = false;
    const Status status =
        count_effective(stream, *request_.point.effective_at, view.state, counts_anything);
    if (!status.ok()) return failed(status);
    // What counts may precede the opening; before both there is nothing to show.
    if (*request_.point.effective_at < view.state.opened_at && !counts_anything) return not_yet();
  }
  auto catalogue = catalogue_at_point();
  if (!catalogue.ok()) return failed(catalogue.status());
  view.catalogue = std::move(*catalogue);
  if (request_.point.is_past()) {
    auto event = stream.event_at(*version);
    if (!event.ok()) return failed(event.status());
    view.position = (*event)->position;
  } else {
    auto position = rows_position();
    if (!position.ok()) return failed(position.status());
    view.position = *position;
  }
  view.position_text = position_text(view.position);
  return view;
}

HttpResponse Reading::not_found() const {
  return problem(404, "not-found", "there is no such object", request_.request_id);
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
