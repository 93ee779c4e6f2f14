#pragma once

#include <cstddef>

namespace daybook::eventstore {

/// About how much memory the rows take that a batch changes: each decoded, in its cache, and
/// encoded, once the batch ends. To measure a row costs as much as it holds; so that is done when
/// it is read and when it may have doubled, in all a constant effort for each event.
///
/// Thread rule: one thread.
class ChangedMemory {
 public:
  static constexpr std::size_t kPlaceBytes = 512;  ///< Of a row that holds nothing.

  /// What is known of one row.
  struct Row {
    std::size_t measured = 0;  ///< What it holds beyond its own size.
    std::size_t grown = 0;     ///< At most, since then.
  };

  /// A row that was as in the store, or as written by the last batch, changes.
  void add(const Row& row) { bytes_ += kPlaceBytes + cost_of(row); }

  /// A row that changes may become so much larger. `measure` tells what it holds now.
  template <class Measure>
  void grow(Row& row, std::size_t bytes, const Measure& measure) {
    bytes_ -= cost_of(row);
    row.grown += bytes;
    if (row.grown > row.measured) row = {measure(), 0};
    bytes_ += cost_of(row);
  }

  /// The batch has ended.
  void clear() { bytes_ = 0; }

  std::size_t bytes() const { return bytes_; }

 private:
  static std::size_t cost_of(const Row& row) { return 2 * (row.measured + row.grown); }

  std::size_t bytes_ = 0;
};

}  // namespace daybook::eventstore
