#include "eventstore/decoded_entry.h"

#include <utility>

#include "eventstore/event_codec.h"

namespace daybook::eventstore {

Result<DecodedEntry> decode_events(Entry entry) {
  DecodedEntry decoded;
  // A short body would move with its small-string buffer; views are taken from its final place.
  decoded.entry = std::move(entry);
  if (decoded.entry.body.capacity() < 64) decoded.entry.body.reserve(64);
  decoded.events.reserve(decoded.entry.count);
  decoded.bytes.reserve(decoded.entry.count);
  Status failure;
  for_each_event(decoded.entry, [&](std::uint64_t position, std::string_view bytes) {
    auto event = decode_event(bytes);
    if (!event.ok()) {
      failure = corrupt("position " + std::to_string(position) + ": " + event.status().message());
      return false;
    }
    decoded.events.push_back(std::move(*event));
    decoded.bytes.push_back(bytes);
    return true;
  });
  if (!failure.ok()) return failure;
  return decoded;
}

}  // namespace daybook::eventstore
