#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "domain/base/clock.h"
#include "domain/base/time.h"

namespace daybook::eventstore {

/// Gives out recording times and lets a reader close a moment, so that an as-of read answers the
/// same for ever: after close(t) nothing is recorded at or before t, whatever the wall clock does.
/// Thread rule: begin and end by the sequencer's thread, close by any.
class RecordedClock {
 public:
  RecordedClock(const Clock& clock, std::uint64_t next_position)
      : clock_(clock), next_position_(next_position) {}

  /// The time for the events that are decided until end().
  Instant begin() {
    const std::lock_guard lock(mutex_);
    now_ = std::max(clock_.now(), Instant{closed_.micros + 1});
    active_ = true;
    return now_;
  }

  void end(std::uint64_t next_position) {
    {
      const std::lock_guard lock(mutex_);
      active_ = false;
      next_position_ = next_position;
    }
    ended_.notify_all();
  }

  /// Returns the position before which every event recorded at or before `time` stands.
  std::uint64_t close(Instant time) {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return !active_ || now_ > time; });
    closed_ = std::max(closed_, time);
    return next_position_;
  }

 private:
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable ended_;
  Instant now_{};
  Instant closed_{};
  bool active_ = false;
  std::uint64_t next_position_;
};

}  // namespace daybook::eventstore
