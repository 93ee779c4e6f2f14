#include "eventstore/event_log.h"

#include <string>

namespace daybook::eventstore {
namespace {

Status differs(const Entry& entry, const char* field, const std::string& expected,
               const std::string& found) {
  return invalid("entry " + std::to_string(entry.entry_no) + ": " + field + ": expected " +
                 expected + ", found " + found);
}

}  // namespace

Status check_continues(const LogHead& head, const Entry& entry) {
  if (entry.entry_no != head.entry_count) {
    return differs(entry, "entry_no", std::to_string(head.entry_count),
                   std::to_string(entry.entry_no));
  }
  if (entry.base_position != head.next_position) {
    return differs(entry, "base_position", std::to_string(head.next_position),
                   std::to_string(entry.base_position));
  }
  if (entry.prev_chain != head.chain) {
    return differs(entry, "prev_chain", to_hex(head.chain), to_hex(entry.prev_chain));
  }
  if (head.entry_count == 0) return {};
  if (entry.first_recorded_at < head.last_recorded_at) {
    return differs(entry, "recorded_at", "at least " + std::to_string(head.last_recorded_at.micros),
                   std::to_string(entry.first_recorded_at.micros));
  }
  const bool raised = entry.generation > head.generation;
  if (raised ? entry.kind != EntryKind::kGeneration : entry.generation != head.generation) {
    return differs(entry, "generation", std::to_string(head.generation),
                   std::to_string(entry.generation));
  }
  return {};
}

LogHead head_after(const Entry& entry, const Hash& chain) {
  return {entry.generation, entry.entry_no + 1, entry.end_position(), chain,
          entry.last_recorded_at};
}

Result<std::optional<Entry>> entry_at(const EventLog& log, std::uint64_t position) {
  auto cursor = log.read(position);
  if (!cursor.ok()) return cursor.status();
  for (;;) {
    auto entry = (*cursor)->next();
    if (!entry.ok() || !entry->has_value()) return entry;
    // Entries without events may come first: those that a log begins with, or, while the position
    // is not committed, those that stand where it will be.
    if ((*entry)->end_position() <= position) continue;
    if ((*entry)->base_position <= position) return entry;
    return std::optional<Entry>();
  }
}

}  // namespace daybook::eventstore
