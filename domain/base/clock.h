#pragma once

#include "domain/base/time.h"

namespace daybook {

/// The one source of the present; given in, so that a simulator can own it. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
};

}  // namespace daybook
