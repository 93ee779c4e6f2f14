#pragma once

#include "domain/base/clock.h"
#include "domain/base/random.h"

/// The real kinds of the ports that the core takes as arguments.
namespace daybook::eventstore {

/// The clocks of the operating system: the wall clock, and for waits the monotonic one.
class SystemClock final : public Clock {
 public:
  Instant now() const override;
  SteadyTime steady() const override;
};

/// The kernel's random number generator: getrandom(2).
class SystemRandom final : public Random {
 public:
  std::string bytes(std::size_t size) const override;
};

}  // namespace daybook::eventstore
