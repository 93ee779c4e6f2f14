#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/account.h"
#include "domain/tenant.h"
#include "eventstore/changed_memory.h"
#include "eventstore/command.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/event_log.h"
#include "eventstore/key_filter.h"
#include "eventstore/kv.h"
#include "eventstore/lookups.h"
#include "eventstore/stable_map.h"
#include "eventstore/stream_numbers.h"

/// What a decision needs from the past beyond its own stream's state, and that state itself:
/// derived from the log, in three tables that are written behind it. Index and sequencer's tail
/// together are the whole log, always (eventstore/lookups.h).
///
/// Each writer has the shape of a projection (apply an entry, finish a batch); the projector drives
/// them. Thread rule: writers by the projector's thread, readers by any.
namespace daybook::eventstore {

/// Versions between two snapshots of a state, for reads of the past.
inline constexpr std::uint64_t kSnapshotEvery = 1'024;

/// Table `keys`: lookup_key -> position of the event that carries it.
class KeyRows {
 public:
  /// Adds each key to `filter`, if there is one, before its row is written.
  explicit KeyRows(Table table, KeyFilter* filter = nullptr) : table_(table), filter_(filter) {}
  void apply(const DecodedEntry& entry, KvBatch& batch);
  Table table() const { return table_; }

 private:
  void put(const LookupKey& key, std::uint64_t position, KvBatch& batch);

  Table table_;
  KeyFilter* filter_;
};

/// Table `streams`: version_key -> position as a varint, then the stored event. An account's
/// history lies together, however far apart its entries are.
class StreamRows {
 public:
  explicit StreamRows(Table table) : table_(table) {}
  void apply(const DecodedEntry& entry, KvBatch& batch);
  Table table() const { return table_; }

 private:
  Table table_;
};

/// Reads one row of `streams`.
Result<PlacedEventPtr> decode_stream_row(std::string_view row);

/// Table `states`: "L" + stream_key -> latest state of an account or tenant; "S" + version_key ->
/// its state at every kSnapshotEvery-th version: a cache, never meaning; "T" + version_key -> a
/// tenant's state without its keys, for every version that changed more than keys.
class StateRows {
 public:
  // Kept in memory between batches, so that busy streams are not read again: of accounts and of
  // tenants no more than either of these.
  static constexpr std::size_t kCachedStatesMax = 100'000;
  static constexpr std::size_t kCachedBytesMax = std::size_t{32} << 20;

  StateRows(const KvStore& store, Table table, std::size_t cached_bytes_max = kCachedBytesMax)
      : store_(store), table_(table), cached_bytes_max_(cached_bytes_max) {}

  Status apply(const DecodedEntry& entry, KvBatch& batch);
  void finish(KvBatch& batch);
  void reset();
  Table table() const { return table_; }
  std::size_t cached_bytes() const { return accounts_.bytes + tenants_.bytes; }
  /// Of what was changed since the last finish().
  std::size_t changed_bytes() const {
    return accounts_.changed_memory.bytes() + tenants_.changed_memory.bytes();
  }

 private:
  template <class State>
  struct Cached {
    State state;
    std::size_t bytes = 0;  ///< As measured by the last finish().
    ChangedMemory::Row memory = {};
    bool changed = false;
  };
  template <class State>
  struct Cache {
    using Item = typename StableMap<Cached<State>>::Entry;

    StableMap<Cached<State>> items;
    ByStream<Item> by_stream;
    /// Since the last finish(): few, where the cache holds many.
    std::vector<Item*> changed;
    std::size_t bytes = 0;  ///< Of all items.
    ChangedMemory changed_memory;

    void clear() {
      changed.clear();
      changed_memory.clear();
      by_stream.clear();
      items.clear();
      bytes = 0;
    }
  };

  /// Of the event's stream.
  template <class State>
  Result<typename Cache<State>::Item*> load(Cache<State>& cache, const DecodedEntry& entry,
                                            std::size_t event);
  /// The state after the event.
  template <class State>
  Result<const State*> evolve(Cache<State>& cache, const DecodedEntry& entry, std::size_t event,
                              KvBatch& batch);
  template <class State>
  void put_changed(Cache<State>& cache, KvBatch& batch);

  const KvStore& store_;
  Table table_;
  std::size_t cached_bytes_max_;
  Cache<domain::AccountState> accounts_;
  Cache<domain::TenantState> tenants_;
};

std::string latest_state_key(const domain::StreamId& stream);
std::string snapshot_key(const domain::StreamId& stream, std::uint64_t version);
std::string terms_key(const domain::StreamId& stream, std::uint64_t version);

/// The reading side: everything recorded before the position that was last published.
class LogIndex {
 public:
  struct Tables {
    Table keys;
    Table streams;
    Table states;
  };

  LogIndex(const KvStore& store, const EventLog& log, Tables tables)
      : store_(store), log_(log), tables_(tables), key_filter_(log.head().next_position) {}

  /// For the writer of `keys` (KeyRows), which fills it with what it is given from now on.
  KeyFilter& key_filter() { return key_filter_; }
  /// Adds the keys that are there already; until that is done, each look-up reads the table. To be
  /// called once, by any thread, after the writer began; returns early, OK, when told to stop.
  Status fill_key_filter(const std::stop_token& stop);

  /// All three tables have everything before `position`. Never goes back.
  void publish(std::uint64_t position) { applied_.store(position, std::memory_order_release); }
  std::uint64_t applied() const { return applied_.load(std::memory_order_acquire); }

  /// All that the sequencer may want to know of the past for this command. A tenant's state may be
  /// megabytes of keys: it is read only where it is wanted.
  Result<Lookups> look_up(const Command& command, WantedStates wanted = {}) const;

  /// The event at a position that the log has, read from the log.
  Result<PlacedEventPtr> event_at(std::uint64_t position) const;
  /// The event at a version of a stream; null if the index has none.
  Result<PlacedEventPtr> event_of(const domain::StreamId& stream, std::uint64_t version) const;
  /// The state of a tenant as last indexed; version 0 if there is none.
  Result<domain::TenantState> tenant_state(const TenantId& tenant) const;
  Result<domain::AccountState> account_state(const TenantId& tenant,
                                             const AccountId& account) const;

 private:
  Result<PlacedEventPtr> find(const LookupKey& key) const;
  Status look_up_states(const Command& command, WantedStates wanted, Lookups& lookups) const;
  Status look_up_key(const Command& command, Lookups& lookups) const;
  Status look_up_payment(const Command& command, Lookups& lookups) const;
  Status look_up_reference(const Command& command, Lookups& lookups) const;

  const KvStore& store_;
  const EventLog& log_;
  Tables tables_;
  KeyFilter key_filter_;
  std::atomic<std::uint64_t> applied_{0};
};

}  // namespace daybook::eventstore
