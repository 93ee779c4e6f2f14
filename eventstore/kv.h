#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/base/result.h"
#include "eventstore/kv_batch.h"

namespace daybook::eventstore {

/// What a store is opened with, one per table.
struct TableSpec {
  /// How a table is mostly used: filters cost memory and pay only for point look-ups that miss.
  enum class Use { kPointLookups, kScans };

  std::string name;
  Use use = Use::kScans;
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
  /// Begins what flush() waits for; waits itself until one that was begun before has ended and the
  /// store is ready for more. Where it fails, a later write or flush() says so.
  virtual Status begin_flush() { return flush(); }

  /// write() and flush() in one, for a large batch: what a store otherwise sorts row by row
  /// is in order here.
  /// REQUIRES: the operations of a table follow one another, in ascending order of different keys.
  virtual Status ingest(const KvBatch& batch) {
    const Status written = write(batch);
    return written.ok() ? flush() : written;
  }

  /// Removes all rows of a table, durably.
  virtual Status clear(Table table) = 0;

  /// When this answers OK, no file of the store holds what was erased from the table before.
  virtual Status purge(Table table) = 0;
};

}  // namespace daybook::eventstore
