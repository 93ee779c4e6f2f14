#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/base/result.h"

namespace daybook::eventstore {

/// A table of a derived store: one key space with its own flushes (a RocksDB column family). An
/// index into the list of names that the store was opened with.
using Table = std::uint32_t;

/// What a store is opened with, one per table.
struct TableSpec {
  /// How a table is mostly used: filters cost memory and pay only for point look-ups that miss.
  enum class Use { kPointLookups, kScans };

  std::string name;
  Use use = Use::kScans;
};

/// Puts and erases that become visible together, and after a crash survive together per table.
class KvBatch {
 public:
  struct Operation {
    Table table;
    std::string key;
    std::optional<std::string> value;  ///< Empty: erase.
  };

  void put(Table table, std::string key, std::string value) {
    operations_.push_back({table, std::move(key), std::move(value)});
  }
  void erase(Table table, std::string key) {
    operations_.push_back({table, std::move(key), std::nullopt});
  }
  const std::vector<Operation>& operations() const { return operations_; }
  /// Hands the operations over and leaves the batch empty.
  std::vector<Operation> take() { return std::exchange(operations_, {}); }
  bool empty() const { return operations_.empty(); }
  void clear() { operations_.clear(); }

 private:
  std::vector<Operation> operations_;
};

/// Steps through a range of one table, in key order or against it. Not thread-safe. Must not
/// outlive its reader.
class KvCursor {
 public:
  virtual ~KvCursor() = default;

  virtual bool valid() const = 0;  ///< False at the end and after an error: check status().
  virtual void next() = 0;         ///< One step in the direction of the cursor. REQUIRES: valid().
  virtual std::string_view key() const = 0;    ///< Valid until next(). REQUIRES: valid().
  virtual std::string_view value() const = 0;  ///< Likewise.
  virtual Status status() const = 0;
};

/// Reads of one moment: all that was written before it was made, nothing after, clear() included.
/// Any thread. Must not outlive its store.
class KvReader {
 public:
  virtual ~KvReader() = default;

  virtual Result<std::optional<std::string>> get(Table table, std::string_view key) const = 0;

  /// Keys in [from, to); an empty `to` means to the end of the table.
  virtual std::unique_ptr<KvCursor> scan(Table table, std::string_view from,
                                         std::string_view to) const = 0;
  /// The same range from its last key to its first.
  virtual std::unique_ptr<KvCursor> scan_backwards(Table table, std::string_view from,
                                                   std::string_view to) const = 0;
};

/// A store of derived data: everything in it can be rebuilt from the log.
///
/// Thread rule: any thread; writes are ordered by the caller.
/// Crash: without flush() a table falls back to an earlier state of whole batches (a prefix of the
/// writes to that table); tables fall back independently of each other. So a reader of the log
/// keeps its checkpoint in the table of its rows.
class KvStore {
 public:
  virtual ~KvStore() = default;

  /// Later operations of a batch win over earlier ones on the same key. An error is final: nothing
  /// can be written until the store is opened again.
  virtual Status write(const KvBatch& batch) = 0;
  virtual Result<std::optional<std::string>> get(Table table, std::string_view key) const = 0;
  virtual std::unique_ptr<KvReader> snapshot() const = 0;

  /// When this answers OK, everything written before survives a crash.
  virtual Status flush() = 0;

  /// Removes all rows of a table, durably.
  virtual Status clear(Table table) = 0;

  /// When this answers OK, no file of the store holds what was erased from the table before.
  virtual Status purge(Table table) = 0;
};

}  // namespace daybook::eventstore
