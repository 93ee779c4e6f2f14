#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "eventstore/decoded_entry.h"
#include "eventstore/entry.h"
#include "eventstore/wire.h"
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

/// A stored entry with this body as it is on disk, compressed or said to be: all that a damaged or
/// hostile frame can say, behind lengths that fit.
std::string with_frame(std::string_view bytes) {
  eventstore::WireReader head(bytes);
  const std::uint64_t count = head.varint();
  const std::uint64_t raw_size = head.varint();
  const std::string_view frame = head.raw(head.remaining());
  constexpr std::uint32_t kMagic = 0x314B4244;
  std::string stored;
  eventstore::WireWriter out(stored);
  out.fixed32(kMagic);
  out.fixed8(1);                              // format
  out.fixed8(0);                              // kind: events
  out.fixed8(1);                              // flags: zstd
  for (int i = 0; i < 4; ++i) out.varint(0);  // partition, generation, number, position
  out.varint(count);
  out.fixed64(0);
  out.varint(0);
  out.raw(std::string(32, '\0'));
  out.varint(raw_size);
  out.text(frame);
  return stored;
}

/// An entry of these events, one a line, at any place of the log.
void check_written(std::string_view lines) {
  Entry written;
  written.base_position = written.entry_no = lines.size();
  while (!lines.empty() && written.count < eventstore::kEntryEventsMax) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    if (end > 0 && end <= eventstore::kEventBytesMax) {
      eventstore::append_event_bytes(written.body, lines.substr(0, end));
      ++written.count;
    }
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  if (written.count == 0) return;
  const auto read = eventstore::decode_entry(eventstore::encode_entry(written));
  require(read.ok() && *read == written, "what is written is read");
  check_events(*read);
}

void check_stored(std::string_view bytes) {
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

}  // namespace

/// The stored form of an entry: header, and a body that may be compressed. `Z`: its counts and the
/// compressed body alone. `L`: lines to write an entry of.
void entry(std::string_view bytes) {
  if (bytes.starts_with('Z')) return check_stored(with_frame(bytes.substr(1)));
  if (bytes.starts_with('L')) return check_written(bytes.substr(1));
  check_stored(bytes);
}

}  // namespace daybook::fuzz
