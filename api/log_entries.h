#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>

#include "eventstore/decoded_entry.h"

namespace daybook::api {

/// Decoded entries of the log that somebody was in the middle of, for all streams of events
/// together: each stream keeps a position alone, however long nobody reads from its socket, and
/// those at the end of the log decode what is new once.
///
/// Bounds: kEntriesMax and about kBytesMax; who has been used least goes first. What went is
/// decoded again.
/// Thread rule: any thread.
class LogEntries {
 public:
  using EntryPtr = std::shared_ptr<const eventstore::DecodedEntry>;
  static constexpr std::size_t kEntriesMax = 64;
  static constexpr std::size_t kBytesMax = std::size_t{32} << 20;

  explicit LogEntries(std::size_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}

  /// The entry that holds the event at `position`, if it is kept.
  EntryPtr find(std::uint64_t position);
  void keep(EntryPtr entry);

  std::size_t bytes() const;  ///< Of those that are kept, about.

 private:
  struct Kept {
    EntryPtr entry;
    std::size_t bytes = 0;
  };

  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::list<Kept> kept_;  ///< The last used one first.
  std::size_t bytes_ = 0;
};

}  // namespace daybook::api
