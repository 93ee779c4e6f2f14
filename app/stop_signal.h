#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

namespace daybook::app {

/// SIGTERM, SIGINT, SIGHUP (unless it is ignored) and the failure of the store, as something that a
/// command can wait for. Holds the process to its word: whoever was asked to end and has not ended
/// within the time is ended.
///
/// Thread rule: made first of all, by the main thread, before any other thread is (they inherit the
/// blocked signals). fail() from any thread; the rest by the main thread. One per process.
class StopSignal {
 public:
  enum class Reason : std::uint8_t { kAsked, kFailed };

  static constexpr std::chrono::milliseconds kAskedTime{9'000};
  static constexpr std::chrono::milliseconds kFailedTime{2'000};

  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  StopSignal(StopSignal&&) = delete;
  StopSignal& operator=(StopSignal&&) = delete;

  /// While nothing is lost by it: asked to end, the process ends at once, with status 0.
  void end_at_once(bool at_once);

  /// The store has failed.
  void fail();

  bool stopping() const;

  /// Waits until there is a reason to stop.
  Reason wait();
  /// Waits for that time; true if there is a reason to stop.
  bool wait_for(std::chrono::milliseconds time);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace daybook::app
