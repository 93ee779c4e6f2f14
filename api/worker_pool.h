#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace daybook::api {

/// Threads for what may block on the store, so that the io threads never do. A bounded queue.
/// Thread rule: any thread.
class WorkerPool {
 public:
  /// The threads are called `name`, of at most 15 bytes.
  WorkerPool(std::size_t threads, std::size_t queue_max, const std::string& name = "workers");
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False, with the job not taken, when the queue is full or the pool stopped.
  [[nodiscard]] bool post(std::function<void()> job);

  /// For the next part of an answer that has begun: not counted against the queue, because
  /// refusing it would cut the answer. Bounded by its callers: each has one such job at a time.
  /// Takes turns with the queue. False when the pool stopped.
  [[nodiscard]] bool post_part(std::function<void()> job);

  /// Ends the threads after what they are at; what has not begun is dropped, since nobody waits
  /// for it any more. Idempotent.
  void stop();

 private:
  void run(const std::string& name);
  std::function<void()> take();  ///< REQUIRES: mutex_ is held and a job is there.

  std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable wakes_;
  std::deque<std::function<void()>> queue_;
  std::deque<std::function<void()>> parts_;
  bool part_is_next_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace daybook::api
