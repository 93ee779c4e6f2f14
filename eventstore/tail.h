#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "eventstore/command.h"
#include "eventstore/entry.h"
#include "eventstore/stream_key.h"

namespace daybook::eventstore {

/// The events that the log index may not have yet: the window that completes it. Holds entries from
/// a base position to the end, their look-up keys, and decodes an event again when it is asked for.
/// Owned by the sequencer's thread.
class Tail {
 public:
  explicit Tail(std::uint64_t next_position) : base_(next_position), next_(next_position) {}

  std::uint64_t base_position() const { return base_; }
  std::uint64_t next_position() const { return next_; }
  /// Memory of the sealed entries and of all look-up keys, about.
  std::size_t bytes() const { return bytes_; }

  /// Adds the next event, which lies at `offset` of the body of the open entry.
  void push(std::size_t offset, const std::vector<LookupKey>& keys);
  /// The open entry has become this one; its body holds the pushed events.
  void seal(std::shared_ptr<const Entry> entry);

  /// Position of the newest event pushed under this key.
  std::optional<std::uint64_t> find(const LookupKey& key) const;

  /// The event at a position. `open_body` is the body of the entry that is not sealed yet.
  /// REQUIRES: base_position() <= position < next_position().
  PlacedEventPtr event_at(std::uint64_t position, const std::string& open_body) const;

  /// Forgets whole entries before `position`.
  void drop_before(std::uint64_t position);
  /// Forgets the oldest entries, whole and before `position`, while there are more bytes than that.
  void shrink_to(std::size_t bytes, std::uint64_t position);

 private:
  struct Segment {
    std::uint64_t base = 0;
    std::shared_ptr<const Entry> entry;  ///< Null while open.
    std::vector<std::uint32_t> offsets;
    std::vector<std::pair<LookupKey, std::uint64_t>> keys;
    std::size_t bytes = 0;
  };

  void drop_oldest();

  std::uint64_t base_;
  std::uint64_t next_;
  std::size_t bytes_ = 0;
  std::deque<Segment> segments_;  ///< The last one is open if its entry is null.
  boost::unordered_flat_map<LookupKey, std::uint64_t, LookupKeyHash> by_key_;
};

}  // namespace daybook::eventstore
