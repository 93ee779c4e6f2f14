#pragma once

#include <cstddef>
#include <functional>

#include "domain/base/result.h"

namespace daybook::eventstore {

/// The first of several jobs that failed, or OK, and which it was.
struct Failed {
  std::size_t job = 0;
  Status status;
};

/// Runs job(0) to job(count - 1), each once, on up to `threads` threads, one of which is the
/// caller's, and returns when all have ended. Each thread takes the next job that nobody has: begin
/// with the longest. Jobs must not throw.
/// REQUIRES: threads > 0; no job touches what another one changes.
Failed side_by_side(std::size_t count, std::size_t threads,
                    const std::function<Status(std::size_t)>& job);

}  // namespace daybook::eventstore
