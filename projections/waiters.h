#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "domain/base/clock.h"

namespace daybook::projections {

/// Who waits for the read models to reach a position. Nothing blocks: a waiter is a callback.
///
/// Thread rule: any thread. Callbacks run without a lock held, in the thread of the call that
/// settled them, and each exactly once. Bound: `waiters_max` at a time.
class PositionWaiters {
 public:
  using Callback = std::function<void(bool reached)>;

  explicit PositionWaiters(std::size_t waiters_max) : waiters_max_(waiters_max) {}

  /// Calls `callback` once everything before `position` is there (at once if it is), or with false
  /// at the deadline or when closed. Returns false, and never calls it, beyond the bound or after
  /// close().
  [[nodiscard]] bool add(std::uint64_t position, SteadyTime deadline, Callback callback);

  /// Everything before `position` is there; it may also go back (a rebuild).
  void reached(std::uint64_t position);

  /// Lets go of those whose deadline is at or before `now`.
  void expire(SteadyTime now);

  /// Lets go of all, and takes no more of those that would have to wait.
  void close();

  std::optional<SteadyTime> next_deadline() const;
  /// The first position that somebody waits for.
  std::optional<std::uint64_t> next_position() const;
  std::size_t size() const;

 private:
  using Place = std::pair<std::uint64_t, std::uint64_t>;  ///< Position, serial number.
  struct Waiter {
    SteadyTime deadline;
    Callback callback;
  };

  mutable std::mutex mutex_;
  std::size_t waiters_max_;
  std::uint64_t reached_ = 0;
  std::uint64_t serial_ = 0;
  bool closed_ = false;
  std::map<Place, Waiter> by_position_;
  std::set<std::tuple<SteadyTime, Place>> by_deadline_;
};

}  // namespace daybook::projections
