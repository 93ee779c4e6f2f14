#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "domain/base/result.h"
#include "eventstore/kv.h"

namespace daybook::eventstore {

/// Ordered rows whose writes are durable one by one: what a StoredLog keeps its entries in. A
/// RocksDB directory (rocks_log_db.h), or the disk of the simulator.
///
/// Thread rule: write() by one thread, the rest by any.
/// Crash: a write that answered OK is there; one that did not is there as a whole or not at all.
class LogRows {
 public:
  static constexpr Table kEntries = 0;
  static constexpr Table kMeta = 1;
  static constexpr Table kQuarantine = 2;
  using Row = std::pair<std::string, std::string>;

  virtual ~LogRows() = default;

  /// All of the batch, logged and synced.
  virtual Status write(const KvBatch& batch) = 0;

  /// Not OK once the store met an error by itself: nothing may be acknowledged any more.
  virtual Status background_failure() const = 0;

  virtual Result<std::optional<std::string>> get(Table table, std::string_view key) const = 0;

  /// The last row whose key is less than `key`.
  virtual Result<std::optional<Row>> last_before(Table table, std::string_view key) const = 0;

  /// Rows in key order from `from` on, of this moment. Must not outlive this.
  virtual std::unique_ptr<KvCursor> scan(Table table, std::string_view from) const = 0;
};

}  // namespace daybook::eventstore
