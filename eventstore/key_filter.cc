#include "eventstore/key_filter.h"

#include <algorithm>

#include "domain/base/int128.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kKeysMin = std::size_t{1} << 20;
constexpr int kBitsSet = 6;
constexpr int kPositionBits = 9;  // Of a bit in its block.

std::uint64_t word_of(const LookupKey& key, std::size_t at) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < sizeof(word); ++i) word = word << 8 | key[at + i];
  return word;
}

/// The upper half of the key, which is half of a digest, spread over the blocks.
std::size_t block_of(const LookupKey& key, std::size_t blocks) {
  return static_cast<std::size_t>(static_cast<uint128>(word_of(key, 0)) * blocks >> 64);
}

/// Calls `visit(word, mask)` for each bit of the key; ends early with false.
template <class Visit>
bool for_each_bit(const LookupKey& key, Visit&& visit) {
  std::uint64_t rest = word_of(key, sizeof(std::uint64_t));
  for (int i = 0; i < kBitsSet; ++i, rest >>= kPositionBits) {
    const std::uint64_t position = rest & ((1U << kPositionBits) - 1);
    if (!visit(position / 64, std::uint64_t{1} << (position % 64))) return false;
  }
  return true;
}

}  // namespace

KeyFilter::KeyFilter(std::size_t expected_keys, std::size_t bytes_max) : bytes_max_(bytes_max) {
  const std::size_t blocks_max = bytes_max / sizeof(Block);
  const auto blocks_for = [](std::size_t keys) { return keys * kBitsPerKey / kBlockBits + 1; };
  const std::size_t expected = std::min(expected_keys, bytes_max * 8);  // No overflow below.
  if (blocks_for(expected) > blocks_max) {
    is_full_.store(true, std::memory_order_release);
    return;
  }
  const std::size_t wanted = blocks_for(std::max(expected + expected / 2, kKeysMin));
  segments_[0] = std::make_unique<Segment>(std::min(wanted, blocks_max));
  segment_count_.store(1, std::memory_order_release);
}

void KeyFilter::add(const LookupKey& key) {
  // A key that seems to be there is not counted: rows that are filled in may have come before.
  if (is_full() || any_holds(key)) return;
  Segment* const segment = segment_with_room();
  if (segment == nullptr) {
    is_full_.store(true, std::memory_order_release);
    return;
  }
  segment->keys.fetch_add(1, std::memory_order_relaxed);
  Block& block = segment->blocks[block_of(key, segment->blocks.size())];
  for_each_bit(key, [&](std::size_t word, std::uint64_t mask) {
    block.words[word].fetch_or(mask, std::memory_order_release);
    return true;
  });
}

bool KeyFilter::may_hold(const LookupKey& key) const {
  return !complete_.load(std::memory_order_acquire) || is_full() || any_holds(key);
}

bool KeyFilter::any_holds(const LookupKey& key) const {
  const std::size_t count = segment_count_.load(std::memory_order_acquire);
  return std::any_of(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count),
                     [&](const auto& segment) { return holds(*segment, key); });
}

bool KeyFilter::holds(const Segment& segment, const LookupKey& key) {
  const Block& block = segment.blocks[block_of(key, segment.blocks.size())];
  return for_each_bit(key, [&](std::size_t word, std::uint64_t mask) {
    return (block.words[word].load(std::memory_order_acquire) & mask) != 0;
  });
}

std::size_t KeyFilter::bytes() const {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (const auto& segment : segments_) {
    if (segment != nullptr) bytes += segment->blocks.size() * sizeof(Block);
  }
  return bytes;
}

KeyFilter::Segment* KeyFilter::segment_with_room() {
  const std::size_t count = segment_count_.load(std::memory_order_acquire);
  Segment* const newest = segments_[count - 1].get();
  return newest->keys.load(std::memory_order_relaxed) < newest->keys_max() ? newest : grow();
}

KeyFilter::Segment* KeyFilter::grow() {
  const std::lock_guard lock(mutex_);
  const std::size_t count = segment_count_.load(std::memory_order_relaxed);
  Segment* const newest = segments_[count - 1].get();
  if (newest->keys.load(std::memory_order_relaxed) < newest->keys_max()) return newest;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) bytes += segments_[i]->blocks.size() * sizeof(Block);
  const std::size_t left = (bytes_max_ - bytes) / sizeof(Block);
  const std::size_t blocks = std::min(newest->blocks.size() * 2, left);
  if (count == kSegmentsMax || blocks == 0) return nullptr;
  segments_[count] = std::make_unique<Segment>(blocks);
  segment_count_.store(count + 1, std::memory_order_release);
  return segments_[count].get();
}

}  // namespace daybook::eventstore
