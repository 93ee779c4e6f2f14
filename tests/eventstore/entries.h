#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "domain/base/check.h"
#include "eventstore/event_log.h"

namespace daybook::eventstore {

/// The entry that continues `head` with `count` events (0: a claim) of `event_size` bytes, which
/// depend on position and `variant`.
inline Entry next_entry(const LogHead& head, std::uint32_t count, std::size_t event_size = 20,
                        const std::string& variant = "") {
  Entry entry;
  entry.kind = count == 0 ? EntryKind::kClaim : EntryKind::kEvents;
  entry.generation = head.generation;
  entry.entry_no = head.entry_count;
  entry.base_position = head.next_position;
  entry.count = count;
  entry.first_recorded_at.micros = head.last_recorded_at.micros + 1;
  entry.last_recorded_at.micros = entry.first_recorded_at.micros + count;
  if (count == 0) entry.last_recorded_at = entry.first_recorded_at;
  entry.prev_chain = head.chain;
  for (std::uint32_t i = 0; i < count; ++i) {
    // Seeded by what it stands for, and incompressible.
    const Hash seed = sha256({variant, std::to_string(entry.base_position + i)});
    std::uint64_t state = 0;
    std::memcpy(&state, seed.data(), sizeof(state));
    std::mt19937_64 random(state);
    std::string event(event_size, '\0');
    for (char& c : event) c = static_cast<char>(random());
    append_event_bytes(entry.body, event);
  }
  return entry;
}

/// Appends one entry of each size to the log; all must be committed.
inline std::vector<Entry> append_all(EventLog& log, const std::vector<std::uint32_t>& counts) {
  std::vector<Entry> entries;
  for (const std::uint32_t count : counts) {
    entries.push_back(next_entry(log.head(), count));
    CHECK(log.append(entries.back()) == AppendOutcome::kCommitted);
  }
  return entries;
}

/// All entries of the log from `position` on that are committed now.
inline std::vector<Entry> read_all(const EventLog& log, std::uint64_t position = 0) {
  auto cursor = log.read(position);
  CHECK(cursor.ok());
  std::vector<Entry> entries;
  for (;;) {
    auto entry = (*cursor)->next();
    CHECK(entry.ok());
    if (!entry->has_value()) return entries;
    entries.push_back(std::move(**entry));
  }
}

}  // namespace daybook::eventstore
