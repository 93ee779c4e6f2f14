#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace daybook::app {

/// Waits for a number of answers. Share it with those who arrive: the last of them may still be on
/// its way out of arrive() when wait() returns. Thread rule: any thread.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}

  void arrive() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) done_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t left_;  ///< Guarded by mutex_.
};

}  // namespace daybook::app
