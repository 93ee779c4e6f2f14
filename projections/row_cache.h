#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/base/result.h"
#include "eventstore/changed_memory.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/digest.h"
#include "eventstore/kv.h"
#include "eventstore/stable_map.h"
#include "eventstore/stream_numbers.h"
#include "projections/row_codec.h"

namespace daybook::projections {

/// Rows that many events of a batch change: read from the store on a miss, changed in memory, put
/// once per batch. `Row` comes with `std::string encode_row(const Row&)`,
/// `bool decode_row(std::string_view, Row&)` and, unless all of it is in its size,
/// `std::size_t held_bytes(const Row&)`, found by argument-dependent look-up.
///
/// The store must hold what the last finish() put: clear() after a batch that was not written.
/// Bounds: what one batch changes, plus `rows_max` rows and `bytes_max` bytes between batches.
/// Thread rule: the projector's thread.
template <class Row>
class RowCache {
 public:
  static constexpr std::size_t kRowsMax = 100'000;
  static constexpr std::size_t kBytesMax = std::size_t{32} << 20;

  RowCache(const eventstore::KvStore& store, eventstore::Table table,
           std::size_t rows_max = kRowsMax, std::size_t bytes_max = kBytesMax)
      : store_(store), table_(table), rows_max_(rows_max), bytes_max_(bytes_max) {}

  /// The row; empty if there is none. Valid until finish() or clear().
  Result<const std::optional<Row>*> read(const std::string& key) {
    auto entry = load(key);
    if (!entry.ok()) return entry.status();
    return &std::as_const((*entry)->value.row);
  }

  /// The row, to be changed, emplaced or reset, which makes it larger by at most so much. Valid
  /// until finish() or clear().
  Result<std::optional<Row>*> edit(const std::string& key, std::size_t grows_by = 0) {
    auto entry = load(key);
    if (!entry.ok()) return entry.status();
    return edit(**entry, grows_by);
  }
  /// The same of the row `tenant NUL account NUL rest` of the account whose stream the event is in:
  /// found again by the stream's number, if it has one.
  Result<std::optional<Row>*> edit_of(const eventstore::DecodedEntry& entry, std::size_t event,
                                      std::string_view rest = {}, std::size_t grows_by = 0) {
    const domain::StreamId& stream = entry.events[event].stream;
    Entry* known = by_stream_.find(entry, event);
    // It is of this account; whether it is the row with `rest`, its end tells.
    const std::size_t bytes = stream.tenant.value().size() + stream.id.size() + 2 + rest.size();
    if (known == nullptr || known->key().size() != bytes || !known->key().ends_with(rest)) {
      auto loaded = load(account_prefix(stream.tenant, stream.id).append(rest));
      if (!loaded.ok()) return loaded.status();
      known = *loaded;
      by_stream_.keep(entry, event, *known);
    }
    return edit(*known, grows_by);
  }

  /// Puts or erases each changed row.
  void finish(eventstore::KvBatch& batch) {
    for (Entry* entry : changed_) {
      const std::string_view key = entry->key();
      Item& item = entry->value;
      if (item.row) {
        batch.put(table_, key, encode_row(*item.row));
      } else if (item.stored) {
        batch.erase(table_, key);
      }
      item.memory = {held_by(item), 0};
      bytes_ -= std::exchange(item.bytes, key.size() + sizeof(Item) + item.memory.measured);
      bytes_ += item.bytes;
      item.stored = item.row.has_value();
      item.changed = false;
    }
    changed_.clear();
    changed_memory_.clear();
    if (items_.size() > rows_max_ || bytes_ > bytes_max_) clear();
  }

  void clear() {
    changed_.clear();
    changed_memory_.clear();
    by_stream_.clear();
    items_.clear();
    bytes_ = 0;
  }

  std::size_t size() const { return items_.size(); }
  /// Of what was changed since the last finish().
  std::size_t changed_bytes() const { return changed_memory_.bytes(); }

 private:
  struct Item {
    std::optional<Row> row;
    std::size_t bytes = 0;  ///< With its key, when it was read or put last.
    eventstore::ChangedMemory::Row memory = {};
    bool stored = false;  ///< The store has a row of this key.
    bool changed = false;
  };
  using Items = eventstore::StableMap<Item>;
  using Entry = typename Items::Entry;

  std::optional<Row>* edit(Entry& entry, std::size_t grows_by) {
    Item& item = entry.value;
    if (!std::exchange(item.changed, true)) {
      changed_.push_back(&entry);
      changed_memory_.add(item.memory);
    }
    if (grows_by > 0) {
      changed_memory_.grow(item.memory, grows_by, [&] { return held_by(item) + grows_by; });
    }
    return &item.row;
  }

  Result<Entry*> load(const std::string& key) {
    if (Entry* found = items_.find(key)) return found;
    auto bytes = store_.get(table_, key);
    if (!bytes.ok()) return bytes.status();
    Item item;
    if (*bytes) {
      item.stored = true;
      if (!decode_row(**bytes, item.row.emplace())) {
        return corrupt("table " + std::to_string(table_) + ", row " + eventstore::to_hex(key) +
                       ": not a row of this projection");
      }
    }
    item.memory.measured = held_by(item);
    item.bytes = key.size() + sizeof(Item) + item.memory.measured;
    bytes_ += item.bytes;
    return &items_.add(key, std::move(item));
  }

  static std::size_t held_by(const Item& item) {
    if constexpr (requires { held_bytes(*item.row); }) {
      if (item.row) return held_bytes(*item.row);
    }
    return 0;
  }

  const eventstore::KvStore& store_;
  eventstore::Table table_;
  std::size_t rows_max_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;  ///< Of all items.
  Items items_;
  eventstore::ByStream<Entry> by_stream_;
  std::vector<Entry*> changed_;  ///< Since the last finish(): few, where the cache holds many.
  eventstore::ChangedMemory changed_memory_;
};

}  // namespace daybook::projections
