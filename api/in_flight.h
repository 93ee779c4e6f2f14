#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "api/http_message.h"

namespace daybook::api {

/// Which idempotency keys have a command running, so that a duplicate that joined one is told after
/// a bounded wait: 409 `idempotency-in-flight` with Retry-After, and the same key will tell later.
/// The running command itself is never cut short.
///
/// Bounds: an entry per running command, which the ledger's queue bounds; of duplicates that wait,
/// `waits_max`, and one beyond is told at once. Thread rule: any thread.
class InFlight {
 public:
  static constexpr std::size_t kWaitsMax = 10'000;

  explicit InFlight(std::chrono::milliseconds patience, std::size_t waits_max = kWaitsMax);
  /// REQUIRES: every guarded answer was given.
  ~InFlight();
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  /// Notes a command as running until what this returns is called with its answer. `scope` and
  /// `key` say what no other request may be. `respond` is called once.
  Respond guard(std::string_view scope, std::string_view key, std::string request_id,
                Respond respond);

 private:
  using SteadyClock = std::chrono::steady_clock;

  /// A duplicate: answered by whoever comes first, its command or the time.
  struct Duplicate;
  using Waits = std::list<std::shared_ptr<Duplicate>>;

  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::uint32_t> running;  ///< By hash: how many.
  };
  static constexpr std::size_t kShards = 32;

  Shard& shard_of(std::uint64_t hash) { return shards_[hash % kShards]; }
  /// Whether another one runs already.
  bool enter(std::uint64_t hash);
  void leave(std::uint64_t hash);
  /// Lets it wait; false: too many do.
  bool add(const std::shared_ptr<Duplicate>& duplicate);
  /// Whether it still waited: its answer is then the caller's to give.
  bool take(Duplicate& duplicate);
  void watch();

  const std::chrono::milliseconds patience_;
  const std::size_t waits_max_;
  std::array<Shard, kShards> shards_;

  std::mutex mutex_;
  std::condition_variable wakes_;
  // Guarded by mutex_.
  Waits waits_;  ///< In the order of their ends: all have the same patience.
  bool stopping_ = false;
  std::thread watcher_;
};

}  // namespace daybook::api
