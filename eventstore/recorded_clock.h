#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "domain/base/clock.h"
#include "domain/base/result.h"
#include "domain/base/time.h"
#include "eventstore/event_log.h"

namespace daybook::eventstore {

/// Gives out recording times and lets a reader close a moment, so that an as-of read answers the
/// same for ever: after close(t) nothing is recorded at or before t, whatever the wall clock does
/// and however often the process starts again. What is closed is in the log before it is answered,
/// and a new process begins behind it.
///
/// Thread rule: begin and end by the sequencer's thread, close by any; close may sync a file.
class RecordedClock {
 public:
  /// Both outlive it.
  RecordedClock(const Clock& clock, EventLog& log);

  /// The time for the events that are decided until end(). Never runs backwards.
  Instant begin();
  void end(std::uint64_t next_position);

  /// Returns the position before which every event recorded at or before `time` stands. Errors: the
  /// promise could not be made durable; nothing may be answered as of `time`.
  Result<std::uint64_t> close(Instant time);

 private:
  const Clock& clock_;
  EventLog& log_;
  std::mutex mutex_;
  std::condition_variable ended_;
  Instant now_{};
  Instant closed_;
  bool active_ = false;
  std::uint64_t next_position_;
};

}  // namespace daybook::eventstore
