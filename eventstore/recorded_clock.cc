#include "eventstore/recorded_clock.h"

#include <algorithm>

namespace daybook::eventstore {

RecordedClock::RecordedClock(const Clock& clock, EventLog& log)
    : clock_(clock), log_(log), closed_(log.closed()), next_position_(log.head().next_position) {}

Instant RecordedClock::begin() {
  const std::lock_guard lock(mutex_);
  now_ = std::max({clock_.now(), now_, Instant{closed_.micros + 1}});
  active_ = true;
  return now_;
}

void RecordedClock::end(std::uint64_t next_position) {
  {
    const std::lock_guard lock(mutex_);
    active_ = false;
    next_position_ = next_position;
  }
  ended_.notify_all();
}

Result<std::uint64_t> RecordedClock::close(Instant time) {
  std::uint64_t end = 0;
  {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return !active_ || now_ > time; });
    closed_ = std::max(closed_, time);
    end = next_position_;
  }
  if (Status status = log_.close(time); !status.ok()) return status;
  return end;
}

}  // namespace daybook::eventstore
