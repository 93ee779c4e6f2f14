#include "api/log_entries.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace daybook::api {
namespace {

/// Strings of the events hold about what their bytes are.
std::size_t memory_of(const eventstore::DecodedEntry& entry) {
  return sizeof(entry) + 2 * entry.entry.body.size() +
         entry.events.size() * (sizeof(domain::RecordedEvent) + sizeof(std::string_view));
}

}  // namespace

LogEntries::EntryPtr LogEntries::find(std::uint64_t position) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(kept_.begin(), kept_.end(), [position](const Kept& kept) {
    const eventstore::Entry& entry = kept.entry->entry;
    return entry.base_position <= position && position < entry.end_position();
  });
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return found->entry;
}

void LogEntries::keep(EntryPtr entry) {
  const std::size_t bytes = memory_of(*entry);
  const std::lock_guard lock(mutex_);
  const bool is_there = std::any_of(kept_.begin(), kept_.end(), [&entry](const Kept& kept) {
    return kept.entry->entry.entry_no == entry->entry.entry_no;
  });
  if (is_there) return;
  kept_.push_front({std::move(entry), bytes});
  bytes_ += bytes;
  while (kept_.size() > kEntriesMax || bytes_ > bytes_max_) {
    bytes_ -= kept_.back().bytes;
    kept_.pop_back();
  }
}

std::size_t LogEntries::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace daybook::api
