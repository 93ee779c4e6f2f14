#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace daybook::eventstore {

/// Where the newest events of one stream stand in the log. Versions have no gap, so the last
/// position is that of the stream's version, and each one before it is one version less: eight
/// bytes an event and no hashing.
///
/// Thread rule: one thread.
class RecentPositions {
 public:
  /// The stream's next event. REQUIRES: position > all before.
  void add(std::uint64_t position) { positions_.push_back(position); }

  /// Position of a version of the stream, whose newest version is `newest`; none if that event is
  /// not among the recent ones.
  std::optional<std::uint64_t> find(std::uint64_t version, std::uint64_t newest) const {
    if (version > newest || newest - version >= positions_.size()) return std::nullopt;
    return positions_[positions_.size() - 1 - (newest - version)];
  }

  /// Forgets what stands before `position`. Amortized: it waits until that is at least a half.
  void drop_before(std::uint64_t position) {
    if (positions_.empty() || positions_[positions_.size() / 2] >= position) return;
    positions_.erase(positions_.begin(),
                     std::lower_bound(positions_.begin(), positions_.end(), position));
    // Else a stream that was busy once would keep the room for it.
    if (positions_.capacity() > 64 && positions_.size() < positions_.capacity() / 4) {
      positions_.shrink_to_fit();
    }
  }

  std::size_t bytes() const { return positions_.capacity() * sizeof(std::uint64_t); }

 private:
  std::vector<std::uint64_t> positions_;
};

}  // namespace daybook::eventstore
