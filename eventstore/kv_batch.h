#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <vector>

namespace daybook::eventstore {

/// A table of a derived store: one key space with its own flushes (a RocksDB column family). An
/// index into the list of names that the store was opened with.
using Table = std::uint32_t;

/// Puts and erases that become visible together, and after a crash survive together per table.
///
/// Keys and values are copied into memory of the batch that grows by blocks and is freed as a
/// whole: a large batch has several hundred thousand of them.
class KvBatch {
 public:
  struct Operation {
    Table table;
    std::string_view key;                   ///< Valid as long as the batch, also where it moves.
    std::optional<std::string_view> value;  ///< Likewise. Empty: erase.
  };

  void put(Table table, std::string_view key, std::string_view value);
  void erase(Table table, std::string_view key);
  const std::vector<Operation>& operations() const { return operations_; }
  bool empty() const { return operations_.empty(); }
  /// Memory of what was put and erased, sorting and headroom apart.
  std::size_t bytes() const { return bytes_ + operations_.size() * sizeof(Operation); }
  void clear();

  /// Brings the operations in ascending order of (table, key) and keeps only the last one on each
  /// key.
  void sort();
  /// Adds all operations of the other, which is empty afterwards.
  void append(KvBatch&& other);

 private:
  std::string_view kept(std::string_view bytes);

  std::vector<Operation> operations_;
  std::size_t bytes_ = 0;  ///< Of keys and values.
  /// Where the bytes are: its own, and those of the batches that were appended.
  std::vector<std::unique_ptr<std::pmr::monotonic_buffer_resource>> memory_;
};

}  // namespace daybook::eventstore
