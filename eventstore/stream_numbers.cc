#include "eventstore/stream_numbers.h"

#include <atomic>
#include <string>

#include "domain/base/check.h"
#include "eventstore/stream_key.h"

namespace daybook::eventstore {

StreamNumbers::StreamNumbers(std::size_t streams_max) : streams_max_(streams_max) {
  CHECK(streams_max > 0 && streams_max < UINT32_MAX);
  begin();
}

/// Each numbering of the process is another one: what was kept under one is never found under the
/// numbers of another.
void StreamNumbers::begin() {
  static std::atomic<std::uint64_t> numberings{0};
  numbering_ = numberings.fetch_add(1, std::memory_order_relaxed) + 1;
  numbers_.clear();
}

void StreamNumbers::number(DecodedEntry& entry) {
  if (numbers_.size() >= streams_max_) begin();  // An entry may go beyond it.
  entry.numbering = numbering_;
  entry.numbers.clear();
  entry.numbers.reserve(entry.events.size());
  for (const domain::RecordedEvent& event : entry.events) {
    const domain::StreamKind kind = event.stream.kind;
    if (kind != domain::StreamKind::kAccount && kind != domain::StreamKind::kTenant) {
      entry.numbers.push_back(kNone);
      continue;
    }
    const std::string key = stream_key(event.stream);
    auto* found = numbers_.find(key);
    if (found == nullptr) {
      found = &numbers_.add(key, static_cast<std::uint32_t>(numbers_.size()));
    }
    entry.numbers.push_back(found->value);
  }
}

}  // namespace daybook::eventstore
