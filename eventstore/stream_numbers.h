#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "eventstore/decoded_entry.h"
#include "eventstore/stable_map.h"

namespace daybook::eventstore {

/// Gives accounts and tenants small numbers, so that all who keep something for each stream of an
/// entry find it in an array (ByStream), and the stream is looked for by its key once. Numbers are
/// for finding things only: without them everything is found by its key. Other streams have none:
/// there is one for each payment, and nothing is kept for it.
///
/// Bounds: from `streams_max` streams on the next entry begins another numbering.
/// Thread rule: one thread.
class StreamNumbers {
 public:
  static constexpr std::size_t kStreamsMax = 100'000;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  explicit StreamNumbers(std::size_t streams_max = kStreamsMax);

  /// Numbers the streams of an entry.
  void number(DecodedEntry& entry);

 private:
  void begin();

  std::size_t streams_max_;
  std::uint64_t numbering_ = 0;
  StableMap<std::uint32_t> numbers_;  ///< By stream_key.
};

/// What somebody keeps elsewhere for streams, by their numbers. Another numbering than the one
/// before empties it. Thread rule: one thread.
template <class Kept>
class ByStream {
 public:
  /// What was kept for the stream of an event; null: nothing, or it has no number.
  Kept* find(const DecodedEntry& entry, std::size_t event) {
    if (entry.numbers.empty()) return nullptr;
    if (entry.numbering != numbering_) {
      clear();
      numbering_ = entry.numbering;
    }
    // What comes next is fetched into the cache meanwhile.
    if (event + kAhead < entry.numbers.size()) fetch(at(entry.numbers[event + kAhead]));
    return at(entry.numbers[event]);
  }
  /// REQUIRES: find() was asked before; `kept` lives until clear().
  void keep(const DecodedEntry& entry, std::size_t event, Kept& kept) {
    const std::uint32_t number =
        entry.numbers.empty() ? StreamNumbers::kNone : entry.numbers[event];
    if (number == StreamNumbers::kNone) return;
    if (number >= kept_.size()) kept_.resize(number + 1);
    kept_[number] = &kept;
  }
  void clear() { kept_.clear(); }

 private:
  static constexpr std::size_t kAhead = 4;
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::size_t kFetchedBytes = sizeof(Kept) < 256 ? sizeof(Kept) : 256;

  Kept* at(std::uint32_t number) const { return number < kept_.size() ? kept_[number] : nullptr; }
  static void fetch(const Kept* kept) {
    if (kept == nullptr) return;
    for (std::size_t i = 0; i < kFetchedBytes; i += kLineBytes) {
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): only an address.
      __builtin_prefetch(reinterpret_cast<const char*>(kept) + i);
    }
  }

  std::uint64_t numbering_ = 0;
  std::vector<Kept*> kept_;
};

}  // namespace daybook::eventstore
