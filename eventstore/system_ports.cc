#include "eventstore/system_ports.h"

#include <cerrno>
#include <chrono>

#include <sys/random.h>

#include "domain/base/check.h"

namespace daybook::eventstore {

Instant SystemClock::now() const {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return Instant{std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count()};
}

SteadyTime SystemClock::steady() const {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since_start).count()};
}

std::string SystemRandom::bytes(std::size_t size) const {
  std::string out(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = getrandom(out.data() + filled, size - filled, 0);
    // Only an interrupted call may fail once the pool is seeded; without randomness there is no
    // key.
    CHECK(got > 0 || errno == EINTR);
    if (got > 0) filled += static_cast<std::size_t>(got);
  }
  return out;
}

}  // namespace daybook::eventstore
