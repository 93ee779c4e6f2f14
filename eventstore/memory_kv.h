#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "eventstore/kv.h"

namespace daybook::eventstore {

/// The KvStore of tests and of the simulator: ordered maps in memory that forget like a disk.
///
/// A snapshot shares the maps; the first write after it copies what it changes.
/// Thread rule: any thread. Bounds: a table flushes its oldest unflushed writes by itself beyond
/// 4,096 batches, as RocksDB does when its memtable is full.
class MemoryKv final : public KvStore {
 public:
  explicit MemoryKv(std::size_t table_count) : tables_(table_count) {}

  Status write(const KvBatch& batch) override;
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override;
  std::unique_ptr<KvReader> snapshot() const override;
  Status flush() override;
  /// What was begun before has ended; what is begun now may be lost, all or some of it.
  Status begin_flush() override;
  Status clear(Table table) override;
  Status purge(Table table) override;

  /// What a power loss and a new start leave: each table falls back, on its own, to what was
  /// flushed and a prefix of the batches written to it since. The seed picks the prefixes.
  /// Snapshots live on.
  void crash(std::uint64_t seed);

  using Rows = std::map<std::string, std::string, std::less<>>;

 private:
  struct Operation {
    std::string key;
    std::optional<std::string> value;  ///< Empty: erase.
  };
  using Operations = std::vector<Operation>;
  static void apply_to(const Operations& operations, Rows& rows);

  struct TableState {
    std::shared_ptr<Rows> rows = std::make_shared<Rows>();
    mutable bool shared = false;  ///< A snapshot may hold `rows`: copy before the next write.
    Rows flushed;
    std::vector<Operations> unflushed;
    std::size_t begun = 0;  ///< The first of them: their flush was begun.
  };
  static void flush_first(TableState& state, std::size_t count);

  mutable std::mutex mutex_;
  std::vector<TableState> tables_;
};

}  // namespace daybook::eventstore
