#include "eventstore/tail.h"

#include <algorithm>

#include "domain/base/check.h"
#include "eventstore/event_codec.h"
#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

/// Of one key in its segment and in the map, and of one event's place.
constexpr std::size_t kKeyBytes = 96;
constexpr std::size_t kEventBytes = sizeof(std::uint32_t);

}  // namespace

void Tail::push(std::size_t offset, const std::vector<LookupKey>& keys) {
  if (segments_.empty() || segments_.back().entry != nullptr) {
    segments_.push_back({next_, nullptr, {}, {}, 0});
  }
  Segment& open = segments_.back();
  open.offsets.push_back(static_cast<std::uint32_t>(offset));
  for (const auto& key : keys) {
    open.keys.emplace_back(key, next_);
    by_key_[key] = next_;
  }
  open.bytes += kEventBytes + keys.size() * kKeyBytes;
  bytes_ += kEventBytes + keys.size() * kKeyBytes;
  ++next_;
}

void Tail::seal(std::shared_ptr<const Entry> entry) {
  CHECK(!segments_.empty() && segments_.back().entry == nullptr);
  Segment& open = segments_.back();
  CHECK(entry->base_position == open.base && entry->count == open.offsets.size());
  open.bytes += entry->body.size();
  bytes_ += entry->body.size();
  open.entry = std::move(entry);
}

std::optional<std::uint64_t> Tail::find(const LookupKey& key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  return found->second;
}

PlacedEventPtr Tail::event_at(std::uint64_t position, const std::string& open_body) const {
  CHECK(base_ <= position && position < next_);
  const auto after = std::upper_bound(
      segments_.begin(), segments_.end(), position,
      [](std::uint64_t wanted, const Segment& segment) { return wanted < segment.base; });
  CHECK(after != segments_.begin());
  const Segment& segment = *std::prev(after);
  const std::string& body = segment.entry == nullptr ? open_body : segment.entry->body;
  WireReader wire(std::string_view(body).substr(segment.offsets[position - segment.base]));
  auto event = decode_event(wire.text());
  CHECK(wire.ok() && event.ok());
  return std::make_shared<PlacedEvent>(PlacedEvent{std::move(*event), position});
}

void Tail::drop_before(std::uint64_t position) { shrink_to(0, position); }

void Tail::shrink_to(std::size_t bytes, std::uint64_t position) {
  while (bytes_ > bytes && !segments_.empty() && segments_.front().entry != nullptr &&
         segments_.front().entry->end_position() <= position) {
    drop_oldest();
  }
}

void Tail::drop_oldest() {
  Segment& oldest = segments_.front();
  for (const auto& [key, at] : oldest.keys) {
    const auto found = by_key_.find(key);
    // A newer event under the same key (a later refund of a charge) stays.
    if (found != by_key_.end() && found->second == at) by_key_.erase(found);
  }
  bytes_ -= oldest.bytes;
  base_ = oldest.entry->end_position();
  segments_.pop_front();
}

}  // namespace daybook::eventstore
