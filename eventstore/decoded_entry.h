#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "domain/base/result.h"
#include "domain/event.h"
#include "eventstore/entry.h"

namespace daybook::eventstore {

/// An entry with its events decoded once for all who follow the log. Event i has position
/// entry.base_position + i; bytes[i] is its stored form and points into entry.body.
struct DecodedEntry {
  Entry entry;
  std::vector<domain::RecordedEvent> events;
  std::vector<std::string_view> bytes;
  /// Of the stream of each event, under one numbering (stream_numbers.h). Empty: nobody asked for
  /// them.
  std::vector<std::uint32_t> numbers;
  std::uint64_t numbering = 0;

  DecodedEntry() = default;
  DecodedEntry(DecodedEntry&&) = default;
  DecodedEntry& operator=(DecodedEntry&&) = default;
  DecodedEntry(const DecodedEntry&) = delete;  // bytes would point into the original
  DecodedEntry& operator=(const DecodedEntry&) = delete;
};

/// Decodes all events; corrupt if one cannot be read.
Result<DecodedEntry> decode_events(Entry entry);

}  // namespace daybook::eventstore
