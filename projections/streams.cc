#include "projections/streams.h"

#include <utility>

#include "domain/base/check.h"
#include "domain/posting_rules.h"
#include "eventstore/event_codec.h"
#include "eventstore/log_index.h"
#include "eventstore/stream_key.h"

namespace daybook::projections {

using domain::AccountState;
using domain::TenantState;
using eventstore::PlacedEvent;
using eventstore::PlacedEventPtr;

StreamReader::StreamReader(const eventstore::KvReader& reader, StreamTables tables,
                           domain::StreamId stream)
    : reader_(reader),
      tables_(tables),
      stream_(std::move(stream)),
      key_(eventstore::stream_key(stream_)) {}

std::string StreamReader::row_key(std::uint64_t version) const {
  return eventstore::version_key(key_, version);
}

Status StreamReader::missing(std::uint64_t version) const {
  return corrupt(std::string(domain::name_of(stream_.kind)) + " " + stream_.id + ": version " +
                 std::to_string(version) + " is missing from the index");
}

Result<std::uint64_t> StreamReader::last_version() const {
  const auto cursor = reader_.scan_backwards(tables_.streams, row_key(0), row_key(UINT64_MAX));
  if (cursor->valid()) return eventstore::version_of_key(cursor->key());
  if (Status status = cursor->status(); !status.ok()) return status;
  return std::uint64_t{0};
}

Result<PlacedEventPtr> StreamReader::event_at(std::uint64_t version) const {
  if (version == 0) return PlacedEventPtr();
  auto row = reader_.get(tables_.streams, row_key(version));
  if (!row.ok()) return row.status();
  if (*row) return eventstore::decode_stream_row(**row);
  const auto last = last_version();
  if (!last.ok()) return last.status();
  if (version < *last) return missing(version);
  return PlacedEventPtr();
}

Result<PlacedEventPtr> StreamReader::require(std::uint64_t version) const {
  auto event = event_at(version);
  if (event.ok() && *event == nullptr) return missing(version);
  return event;
}

Status StreamReader::for_each(std::uint64_t from, std::uint64_t upto,
                              const std::function<Status(const PlacedEventPtr&)>& visit) const {
  CHECK(from > 0 && upto < UINT64_MAX);
  if (from > upto) return {};
  std::uint64_t expected = from;
  const auto cursor = reader_.scan(tables_.streams, row_key(from), row_key(upto + 1));
  for (; cursor->valid(); cursor->next(), ++expected) {
    if (eventstore::version_of_key(cursor->key()) != expected) return missing(expected);
    auto event = eventstore::decode_stream_row(cursor->value());
    if (!event.ok()) return event.status();
    if (Status status = visit(*event); !status.ok()) return status;
  }
  if (Status status = cursor->status(); !status.ok()) return status;
  return expected == upto + 1 ? Status() : missing(expected);
}

Result<std::vector<PlacedEventPtr>> StreamReader::events(std::uint64_t from, std::uint64_t upto,
                                                         std::size_t limit) const {
  CHECK(from > 0 && limit > 0);
  std::vector<PlacedEventPtr> events;
  if (from > upto) return events;
  const std::uint64_t last = upto - from < limit ? upto : from + limit - 1;
  const Status status = for_each(from, last, [&](const PlacedEventPtr& event) {
    events.push_back(event);
    return Status();
  });
  if (!status.ok()) return status;
  return events;
}

Result<TransactionsPage> StreamReader::transactions(const TransactionsQuery& query) const {
  CHECK(query.limit > 0 && query.looked_at_max > 0);
  std::uint64_t before = 0;
  if (query.before_version) {
    before = *query.before_version;
  } else {
    const auto last = last_version();
    if (!last.ok()) return last.status();
    before = *last + 1;
  }
  TransactionsPage page;
  if (before <= 1) return page;
  std::uint64_t expected = before - 1;
  std::size_t looked_at = 0;
  const auto cursor = reader_.scan_backwards(tables_.streams, row_key(1), row_key(before));
  for (; cursor->valid(); cursor->next(), --expected) {
    if (looked_at++ == query.looked_at_max) {
      page.next_before = expected + 1;
      return page;
    }
    if (eventstore::version_of_key(cursor->key()) != expected) return missing(expected);
    auto event = eventstore::decode_stream_row(cursor->value());
    if (!event.ok()) return event.status();
    const auto change = domain::balance_change_of((*event)->event.event);
    if (!change || (query.currency && change->currency != *query.currency)) continue;
    if (page.rows.size() == query.limit) {
      page.next_before = page.rows.back()->event.version;
      return page;
    }
    page.rows.push_back(std::move(*event));
  }
  if (Status status = cursor->status(); !status.ok()) return status;
  if (expected != 0) return missing(expected);
  return page;
}

Result<std::uint64_t> StreamReader::last_version_where(
    const std::function<bool(const PlacedEvent&)>& holds) const {
  const auto last = last_version();
  if (!last.ok()) return last.status();
  // It holds for all versions up to the answer and for none above it.
  std::uint64_t low = 0;
  std::uint64_t high = *last;
  while (low < high) {
    const std::uint64_t middle = low + (high - low + 1) / 2;
    const auto event = require(middle);
    if (!event.ok()) return event.status();
    if (holds(**event)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

Result<std::uint64_t> StreamReader::version_as_of(Instant recorded_by) const {
  return last_version_where(
      [&](const PlacedEvent& event) { return event.event.recorded_at <= recorded_by; });
}

Result<std::uint64_t> StreamReader::version_at_position(std::uint64_t position) const {
  return last_version_where([&](const PlacedEvent& event) { return event.position <= position; });
}

/// The newest state at or before the version that the index keeps.
template <class State>
Result<std::optional<State>> StreamReader::stored_state(std::uint64_t version) const {
  using Stored = std::optional<State>;
  auto latest = reader_.get(tables_.states, eventstore::latest_state_key(stream_));
  if (!latest.ok()) return latest.status();
  if (*latest) {
    auto state = eventstore::decode_state<State>(**latest);
    if (!state.ok()) return state.status();
    if (state->version <= version) return Stored(std::move(*state));
  }
  const auto cursor = reader_.scan_backwards(tables_.states, eventstore::snapshot_key(stream_, 0),
                                             eventstore::snapshot_key(stream_, version + 1));
  if (!cursor->valid()) {
    if (Status status = cursor->status(); !status.ok()) return status;
    return Stored();
  }
  auto state = eventstore::decode_state<State>(cursor->value());
  if (!state.ok()) return state.status();
  if (Status status = check_place(cursor->key(), state->version); !status.ok()) return status;
  return Stored(std::move(*state));
}

Status StreamReader::check_place(std::string_view key, std::uint64_t version) const {
  if (version == eventstore::version_of_key(key)) return {};
  return corrupt(std::string(domain::name_of(stream_.kind)) + " " + stream_.id +
                 ": a snapshot of version " + std::to_string(version) +
                 " stands in another one's place");
}

template <class State>
Result<State> StreamReader::fold(std::uint64_t version) const {
  CHECK(version < UINT64_MAX);
  if (version == 0) return State{};
  auto stored = stored_state<State>(version);
  if (!stored.ok()) return stored.status();
  State state = std::move(*stored).value_or(State{});
  const Status status = for_each(state.version + 1, version, [&](const PlacedEventPtr& event) {
    domain::evolve(state, event->event);
    return Status();
  });
  if (!status.ok()) return status;
  return state;
}

Result<AccountState> StreamReader::state_at(std::uint64_t version) const {
  CHECK(stream_.kind == domain::StreamKind::kAccount);
  return fold<AccountState>(version);
}

Result<TenantState> StreamReader::tenant_at(std::uint64_t version) const {
  CHECK(stream_.kind == domain::StreamKind::kTenant);
  return fold<TenantState>(version);
}

Result<TenantTerms> StreamReader::terms_at(std::uint64_t version) const {
  CHECK(stream_.kind == domain::StreamKind::kTenant && version < UINT64_MAX);
  if (version == 0) return TenantTerms{};
  const auto cursor = reader_.scan_backwards(tables_.states, eventstore::terms_key(stream_, 0),
                                             eventstore::terms_key(stream_, version + 1));
  if (!cursor->valid()) {
    if (Status status = cursor->status(); !status.ok()) return status;
    return missing(1);
  }
  auto stored = eventstore::decode_state<TenantState>(cursor->value());
  if (!stored.ok()) return stored.status();
  if (Status status = check_place(cursor->key(), stored->version); !status.ok()) return status;
  return TenantTerms{version, std::move(stored->name), std::move(stored->catalogue)};
}

}  // namespace daybook::projections
