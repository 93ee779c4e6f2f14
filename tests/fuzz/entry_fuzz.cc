#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "eventstore/decoded_entry.h"
#include "eventstore/entry.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

using eventstore::Entry;

void check_events(const Entry& entry) {
  std::string body;
  std::uint64_t next = entry.base_position;
  eventstore::for_each_event(entry, [&](std::uint64_t position, std::string_view event) {
    require(position == next++, "positions have no gap");
    require(!event.empty() && event.size() <= eventstore::kEventBytesMax,
            "an event keeps its bounds");
    eventstore::append_event_bytes(body, event);
    return true;
  });
  require(next == entry.end_position(), "there are as many events as the header says");
  require(body == entry.body, "the frames of a body are canonical");
}

}  // namespace

/// The stored form of an entry: header, and a body that may be compressed.
void entry(std::string_view bytes) {
  const auto decoded = eventstore::decode_entry(bytes);
  if (!decoded.ok()) {
    require(decoded.status().code() == StatusCode::kCorrupt, "what is no entry is corrupt");
    return;
  }
  require(bytes.size() <= eventstore::kEntryBytesMax &&
              decoded->body.size() <= eventstore::kEntryBodyBytesMax &&
              decoded->count <= eventstore::kEntryEventsMax,
          "an entry keeps its bounds, however well it is compressed");
  check_events(*decoded);

  const std::string stored = eventstore::encode_entry(*decoded);
  require(stored.size() <= eventstore::kEntryBytesMax, "what was read can be written");
  const auto again = eventstore::decode_entry(stored);
  require(again.ok() && *again == *decoded, "what was written is read");
  require(eventstore::encode_entry(*again) == stored, "writing is one text");
  require(eventstore::chain_of(*again) == eventstore::chain_of(*decoded),
          "the chain does not depend on the compression");

  const auto events = eventstore::decode_events(*decoded);
  if (!events.ok()) return;
  require(events->events.size() == decoded->count && events->bytes.size() == decoded->count,
          "every event of an entry is decoded");
}

}  // namespace daybook::fuzz
