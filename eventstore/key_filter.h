#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "eventstore/stream_key.h"

namespace daybook::eventstore {

/// Tells from memory that a look-up key is in no row of the table `keys`, which is what nearly
/// every look-up asks: a get of a key that is not there costs RocksDB over a microsecond.
///
/// A Bloom filter of blocks (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom
/// Filters): the bits of a key are in one cache line, for each of a few segments. kBitsPerKey bits
/// a key, six of them set; about one in two hundred keys that are not there seems to be.
///
/// It says nothing until complete() was called: who adds all keys there are, and those to come, may
/// do so in any order, the same key again included. Once a key did not fit it says nothing either.
///
/// Thread rule: any thread. What was added before a position was published is seen by whoever has
/// read that position.
class KeyFilter {
 public:
  static constexpr std::size_t kBitsPerKey = 12;
  static constexpr std::size_t kBytesMax = std::size_t{128} << 20;  ///< 89 million keys.

  /// The first segment has room for half more than `expected_keys`; each further one is twice as
  /// large, or what is left. Where not even those fit it is full at once, and takes no memory.
  explicit KeyFilter(std::size_t expected_keys = 0, std::size_t bytes_max = kBytesMax);

  void add(const LookupKey& key);
  /// All keys have been added.
  void complete() { complete_.store(true, std::memory_order_release); }

  /// False: it was never added.
  bool may_hold(const LookupKey& key) const;
  /// It says nothing any more, for good.
  bool is_full() const { return is_full_.load(std::memory_order_acquire); }
  std::size_t bytes() const;

 private:
  static constexpr std::size_t kBlockBits = 512;
  static constexpr std::size_t kSegmentsMax = 24;

  struct alignas(kBlockBits / 8) Block {
    std::array<std::atomic<std::uint64_t>, kBlockBits / 64> words;
  };
  struct Segment {
    explicit Segment(std::size_t block_count) : blocks(block_count) {}

    std::size_t keys_max() const { return blocks.size() * kBlockBits / kBitsPerKey; }

    std::vector<Block> blocks;
    std::atomic<std::size_t> keys{0};
  };

  static bool holds(const Segment& segment, const LookupKey& key);
  bool any_holds(const LookupKey& key) const;
  Segment* segment_with_room();
  Segment* grow();

  const std::size_t bytes_max_;
  std::atomic<bool> complete_{false};
  std::atomic<bool> is_full_{false};  ///< A key was not added.
  mutable std::mutex mutex_;          ///< Held to grow.
  std::array<std::unique_ptr<Segment>, kSegmentsMax> segments_;
  std::atomic<std::size_t> segment_count_{0};
};

}  // namespace daybook::eventstore
