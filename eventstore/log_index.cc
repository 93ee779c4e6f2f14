#include "eventstore/log_index.h"

#include <algorithm>
#include <utility>

#include "domain/base/check.h"
#include "eventstore/event_codec.h"
#include "eventstore/memory_use.h"
#include "eventstore/stream_key.h"
#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

using domain::StreamId;
using domain::StreamKind;

constexpr char kKeyRow = 'K';  // Row keys do not start with NUL: that is where checkpoints live.

std::string row_key(const LookupKey& key) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are bytes.
  std::string row(reinterpret_cast<const char*>(key.data()), key.size());
  row.insert(row.begin(), kKeyRow);
  return row;
}

std::optional<LookupKey> key_of_row(std::string_view row) {
  LookupKey key;
  if (row.size() != 1 + key.size() || row.front() != kKeyRow) return std::nullopt;
  std::copy(row.begin() + 1, row.end(), key.begin());
  return key;
}

std::string position_row(std::uint64_t position) {
  std::string row;
  WireWriter(row).varint(position);
  return row;
}

/// Whether a tenant's event says more than which keys there are.
bool changes_terms(const domain::Event& event) {
  return std::holds_alternative<domain::TenantCreated>(event) ||
         std::holds_alternative<domain::CurrencySet>(event) ||
         std::holds_alternative<domain::SettingsChanged>(event);
}

template <class State>
std::size_t held_by(const State& state) {
  return memory_of(state) - sizeof(State);
}

template <class State>
Result<State> read_state(const KvStore& store, Table table, const std::string& key) {
  auto row = store.get(table, key);
  if (!row.ok()) return row.status();
  if (!*row) return State{};
  return decode_state<State>(**row);
}

}  // namespace

std::string latest_state_key(const StreamId& stream) { return "L" + stream_key(stream); }
std::string snapshot_key(const StreamId& stream, std::uint64_t version) {
  return "S" + version_key(stream_key(stream), version);
}
std::string terms_key(const StreamId& stream, std::uint64_t version) {
  return "T" + version_key(stream_key(stream), version);
}

void KeyRows::apply(const DecodedEntry& entry, KvBatch& batch) {
  for (std::size_t i = 0; i < entry.events.size(); ++i) {
    const auto& event = entry.events[i];
    const std::uint64_t position = entry.entry.base_position + i;
    if (!event.idempotency_key.empty()) {
      const auto key = lookup_key(LookupKind::kIdempotencyKey, event.stream, event.idempotency_key);
      put(key, position, batch);
    }
    if (const auto version = reference_of(event.event)) {
      put(latest_reference_key(event.stream, *version), position, batch);
    }
  }
}

void KeyRows::put(const LookupKey& key, std::uint64_t position, KvBatch& batch) {
  if (filter_ != nullptr) filter_->add(key);
  batch.put(table_, row_key(key), position_row(position));
}

void StreamRows::apply(const DecodedEntry& entry, KvBatch& batch) {
  for (std::size_t i = 0; i < entry.events.size(); ++i) {
    const auto& event = entry.events[i];
    std::string row = position_row(entry.entry.base_position + i);
    row += entry.bytes[i];
    batch.put(table_, version_key(stream_key(event.stream), event.version), row);
  }
}

Result<PlacedEventPtr> decode_stream_row(std::string_view row) {
  WireReader wire(row);
  const std::uint64_t position = wire.varint();
  auto event = decode_event(wire.raw(wire.remaining()));
  if (!event.ok()) return event.status();
  PlacedEventPtr placed =
      std::make_shared<const PlacedEvent>(PlacedEvent{std::move(*event), position});
  return placed;
}

template <class State>
Result<typename StateRows::Cache<State>::Item*> StateRows::load(Cache<State>& cache,
                                                                const DecodedEntry& entry,
                                                                std::size_t event) {
  if (auto* known = cache.by_stream.find(entry, event)) return known;
  const std::string key = latest_state_key(entry.events[event].stream);
  auto* item = cache.items.find(key);
  if (item == nullptr) {
    auto state = read_state<State>(store_, table_, key);
    if (!state.ok()) return state.status();
    item = &cache.items.add(key, Cached<State>{std::move(*state)});
    item->value.memory.measured = held_by(item->value.state);
  }
  cache.by_stream.keep(entry, event, *item);
  return item;
}

template <class State>
Result<const State*> StateRows::evolve(Cache<State>& cache, const DecodedEntry& entry,
                                       std::size_t event, KvBatch& batch) {
  auto item = load(cache, entry, event);
  if (!item.ok()) return item.status();
  Cached<State>& cached = (*item)->value;
  if (!std::exchange(cached.changed, true)) {
    cache.changed.push_back(*item);
    cache.changed_memory.add(cached.memory);
  }
  const domain::RecordedEvent& recorded = entry.events[event];
  State& state = cached.state;
  domain::evolve(state, recorded);
  cache.changed_memory.grow(cached.memory, entry.bytes[event].size(),
                            [&state] { return held_by(state); });
  if (recorded.version % kSnapshotEvery == 0) {
    batch.put(table_, snapshot_key(recorded.stream, recorded.version), encode_state(state));
  }
  return static_cast<const State*>(&state);
}

Status StateRows::apply(const DecodedEntry& entry, KvBatch& batch) {
  for (std::size_t i = 0; i < entry.events.size(); ++i) {
    const auto& event = entry.events[i];
    if (event.stream.kind == StreamKind::kAccount) {
      auto state = evolve(accounts_, entry, i, batch);
      if (!state.ok()) return state.status();
    } else if (event.stream.kind == StreamKind::kTenant) {
      auto state = evolve(tenants_, entry, i, batch);
      if (!state.ok()) return state.status();
      if (!changes_terms(event.event)) continue;
      domain::TenantState terms{(*state)->version, (*state)->name, {}, (*state)->catalogue};
      batch.put(table_, terms_key(event.stream, event.version), encode_state(terms));
    }
  }
  return {};
}

template <class State>
void StateRows::put_changed(Cache<State>& cache, KvBatch& batch) {
  for (auto* item : cache.changed) {
    const std::string_view key = item->key();
    Cached<State>& cached = item->value;
    batch.put(table_, key, encode_state(cached.state));
    cached.memory = {held_by(cached.state), 0};
    cache.bytes -= std::exchange(cached.bytes, key.size() + sizeof(State) + cached.memory.measured);
    cache.bytes += cached.bytes;
    cached.changed = false;
  }
  cache.changed.clear();
  cache.changed_memory.clear();
  if (cache.items.size() > kCachedStatesMax || cache.bytes > cached_bytes_max_) cache.clear();
}

void StateRows::finish(KvBatch& batch) {
  put_changed(accounts_, batch);
  put_changed(tenants_, batch);
}

void StateRows::reset() {
  accounts_.clear();
  tenants_.clear();
}

Status LogIndex::fill_key_filter(const std::stop_token& stop) {
  if (key_filter_.is_full()) return {};
  const auto rows = store_.snapshot();
  const std::string from(1, kKeyRow);
  const std::string to(1, kKeyRow + 1);
  const auto cursor = rows->scan(tables_.keys, from, to);
  for (; cursor->valid(); cursor->next()) {
    if (stop.stop_requested()) return {};
    const auto key = key_of_row(cursor->key());
    if (!key) return corrupt("a row of the table `keys` has no look-up key");
    key_filter_.add(*key);
  }
  if (Status status = cursor->status(); !status.ok()) return status;
  key_filter_.complete();
  return {};
}

Result<Lookups> LogIndex::look_up(const Command& command, WantedStates wanted) const {
  Lookups lookups;
  // Read before the rows: what they show may be newer, never older.
  lookups.as_of = applied();
  if (Status status = look_up_states(command, wanted, lookups); !status.ok()) return status;
  for (const auto look :
       {&LogIndex::look_up_key, &LogIndex::look_up_payment, &LogIndex::look_up_reference}) {
    Status status = (this->*look)(command, lookups);
    if (!status.ok()) return status;
  }
  return lookups;
}

Status LogIndex::look_up_states(const Command& command, WantedStates wanted,
                                Lookups& lookups) const {
  if (wanted.tenant) {
    auto tenant = tenant_state(command.tenant);
    if (!tenant.ok()) return tenant.status();
    lookups.tenant = std::move(*tenant);
  }
  if (wanted.account && command.is_account_command()) {
    auto account = account_state(command.tenant, command.account);
    if (!account.ok()) return account.status();
    lookups.account = std::move(*account);
  }
  return {};
}

Status LogIndex::look_up_key(const Command& command, Lookups& lookups) const {
  if (command.idempotency_key.empty()) return {};
  const StreamId stream = command.stream();
  lookups.key = lookup_key(LookupKind::kIdempotencyKey, stream, command.idempotency_key);
  auto event = find(lookups.key);
  if (!event.ok()) return event.status();
  lookups.key_event = *event;
  if (lookups.key_event == nullptr) return {};
  const auto* repeat = std::get_if<domain::NoChange>(&lookups.key_event->event.event);
  if (repeat == nullptr || !repeat->of) return {};
  auto original = event_of(stream, repeat->of->version);
  if (!original.ok()) return original.status();
  lookups.original = *original;
  return {};
}

Status LogIndex::look_up_payment(const Command& command, Lookups& lookups) const {
  const auto payment = payment_stream(command);
  if (!payment) return {};
  auto claim = event_of(*payment, 1);
  if (!claim.ok()) return claim.status();
  lookups.claim = *claim;
  if (lookups.claim == nullptr) return {};
  const auto* claimed = std::get_if<domain::PaymentClaimed>(&lookups.claim->event.event);
  CHECK(claimed != nullptr);
  if (claimed->top_up.account != command.account) return {};
  auto top_up = event_of(command.stream(), claimed->top_up.version);
  if (!top_up.ok()) return top_up.status();
  lookups.claimed_top_up = *top_up;
  return {};
}

Status LogIndex::look_up_reference(const Command& command, Lookups& lookups) const {
  const auto version = referenced_version(command);
  if (!version) return {};
  const StreamId stream = command.stream();
  auto event = event_of(stream, *version);
  if (!event.ok()) return event.status();
  lookups.referenced = *event;
  auto latest = find(latest_reference_key(stream, *version));
  if (!latest.ok()) return latest.status();
  lookups.latest_reference = *latest;
  return {};
}

Result<PlacedEventPtr> LogIndex::find(const LookupKey& key) const {
  if (!key_filter_.may_hold(key)) return PlacedEventPtr();
  auto row = store_.get(tables_.keys, row_key(key));
  if (!row.ok()) return row.status();
  if (!*row) return PlacedEventPtr();
  WireReader wire(**row);
  const std::uint64_t position = wire.varint();
  if (!wire.ok()) return corrupt("a row of the log index is malformed");
  return event_at(position);
}

Result<PlacedEventPtr> LogIndex::event_at(std::uint64_t position) const {
  auto entry = entry_at(log_, position);
  if (!entry.ok()) return entry.status();
  if (!*entry) {
    return corrupt("position " + std::to_string(position) + " is indexed and not in the log");
  }
  PlacedEventPtr placed;
  Status failure;
  for_each_event(**entry, [&](std::uint64_t at, std::string_view bytes) {
    if (at != position) return true;
    auto event = decode_event(bytes);
    if (event.ok()) {
      placed = std::make_shared<const PlacedEvent>(PlacedEvent{std::move(*event), position});
    } else {
      failure = event.status();
    }
    return false;
  });
  if (!failure.ok()) return failure;
  return placed;
}

Result<PlacedEventPtr> LogIndex::event_of(const StreamId& stream, std::uint64_t version) const {
  auto row = store_.get(tables_.streams, version_key(stream_key(stream), version));
  if (!row.ok()) return row.status();
  if (!*row) return PlacedEventPtr();
  return decode_stream_row(**row);
}

Result<domain::TenantState> LogIndex::tenant_state(const TenantId& tenant) const {
  return read_state<domain::TenantState>(store_, tables_.states,
                                         latest_state_key(StreamId::of_tenant(tenant)));
}

Result<domain::AccountState> LogIndex::account_state(const TenantId& tenant,
                                                     const AccountId& account) const {
  return read_state<domain::AccountState>(store_, tables_.states,
                                          latest_state_key(StreamId::account(tenant, account)));
}

}  // namespace daybook::eventstore
