#pragma once

#include <compare>
#include <cstdint>
#include <limits>

#include "domain/base/time.h"

namespace daybook {

/// A moment for measuring how long something takes: microseconds since nothing in particular. Never
/// goes back and never jumps, whatever is done to the wall clock. A type of its own, so that nobody
/// measures a wait by the time of day.
struct SteadyTime {
  std::int64_t micros = 0;

  auto operator<=>(const SteadyTime&) const = default;
};

/// `wait_micros` after `start`, or the last moment there is. REQUIRES: wait_micros >= 0.
constexpr SteadyTime later_by(SteadyTime start, std::int64_t wait_micros) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  const bool is_beyond = start.micros > 0 && wait_micros > kLast - start.micros;
  return {is_beyond ? kLast : start.micros + wait_micros};
}

/// The one source of the present; given in, so that a simulator can own it. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  /// The wall clock: what events are dated with. Somebody may set it, forward or back.
  virtual Instant now() const = 0;

  /// What waits are measured by. A clock that nobody sets back needs no other time than its own.
  virtual SteadyTime steady() const { return {now().micros}; }
};

}  // namespace daybook
