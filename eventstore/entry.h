#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "domain/base/result.h"
#include "domain/base/time.h"
#include "eventstore/digest.h"

namespace daybook::eventstore {

/// Bounds of one Entry: they keep a Kafka record, a RocksDB value and a decode buffer small.
inline constexpr std::uint32_t kEntryEventsMax = 8'192;
inline constexpr std::size_t kEntryBytesMax = std::size_t{512} * 1024;
/// Bound of the raw body: whatever the header and however badly the body compresses, the encoded
/// entry stays within kEntryBytesMax.
inline constexpr std::size_t kEntryBodyBytesMax = kEntryBytesMax - 256;
/// Bound of one encoded event.
inline constexpr std::size_t kEventBytesMax = std::size_t{16} * 1024;

/// What an Entry is for. These numbers are the stored format.
enum class EntryKind : std::uint8_t {
  kEvents = 0,      ///< One group commit of events.
  kClaim = 1,       ///< A new owner of the partition (cluster); holds no event.
  kGeneration = 2,  ///< The ledger continues under a higher generation (restore); holds no event.
};

/// The unit of append: one group commit, one RocksDB value, one link of the chain.
///
/// Positions are implicit: event i of the body has position base_position + i. The body is the
/// events one after another, each as a varint length and its bytes (event_codec.h).
struct Entry {
  EntryKind kind = EntryKind::kEvents;
  std::uint32_t partition = 0;
  std::uint32_t generation = 0;
  std::uint64_t entry_no = 0;  ///< 0, 1, 2, ... without a gap in the partition.
  std::uint64_t base_position = 0;
  std::uint32_t count = 0;
  Instant first_recorded_at;  ///< recorded_at of the first and of the last event; equal for a
  Instant last_recorded_at;   ///< kind without events.
  Hash prev_chain{};          ///< Chain value of entry_no - 1; all zero for entry 0.
  std::string body;

  std::uint64_t end_position() const { return base_position + count; }
  bool operator==(const Entry&) const = default;
};

/// Value of the chain at this entry: SHA-256 over a domain tag, every header field and the raw
/// body. Independent of compression, so that stored bytes may be recompressed without a new proof.
Hash chain_of(const Entry& entry);

/// The stored form (docs/stored_format.md, "Entry"): header, then the body, zstd-compressed when
/// that is shorter. The size is within kEntryBytesMax. REQUIRES: the bounds above; body within
/// kEntryBodyBytesMax; at least one event if and only if the kind is kEvents; last_recorded_at not
/// before first_recorded_at, and equal without events.
std::string encode_entry(const Entry& entry);

/// Reads the stored form from bytes that may be anything. Canonical but for the compression: a
/// header that encode_entry would not have written is corrupt. Checks bounds before allocating and
/// that the body holds exactly `count` framed events, none empty or above kEventBytesMax. Errors:
/// kCorrupt, saying which field.
Result<Entry> decode_entry(std::string_view bytes);

/// Adds one event's bytes to a body. REQUIRES: 0 < size <= kEventBytesMax.
void append_event_bytes(std::string& body, std::string_view event_bytes);

/// Calls `visit(position, event_bytes)` for each event in order until it returns false.
/// REQUIRES: an entry that decode_entry returned or append_event_bytes built.
void for_each_event(const Entry& entry,
                    const std::function<bool(std::uint64_t, std::string_view)>& visit);

}  // namespace daybook::eventstore
