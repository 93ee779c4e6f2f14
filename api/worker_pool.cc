#include "api/worker_pool.h"

#include <utility>

#include <pthread.h>

namespace daybook::api {

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue_max, const std::string& name)
    : queue_max_(queue_max) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name] { run(name); });
  }
}

bool WorkerPool::post(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || queue_.size() >= queue_max_) return false;
  queue_.push_back(std::move(job));
  wakes_.notify_one();
  return true;
}

bool WorkerPool::post_part(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  parts_.push_back(std::move(job));
  wakes_.notify_one();
  return true;
}

void WorkerPool::stop() {
  std::deque<std::function<void()>> dropped;
  std::deque<std::function<void()>> dropped_parts;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
    dropped_parts.swap(parts_);
  }
  wakes_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkerPool::run(const std::string& name) {
  ::pthread_setname_np(::pthread_self(), name.c_str());
  while (true) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      wakes_.wait(lock, [this] { return stopping_ || !queue_.empty() || !parts_.empty(); });
      if (queue_.empty() && parts_.empty()) return;
      job = take();
    }
    job();
  }
}

std::function<void()> WorkerPool::take() {
  auto& from = queue_.empty() || (part_is_next_ && !parts_.empty()) ? parts_ : queue_;
  part_is_next_ = &from == &queue_;
  std::function<void()> job = std::move(from.front());
  from.pop_front();
  return job;
}

}  // namespace daybook::api
