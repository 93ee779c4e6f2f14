#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace daybook::api {

/// Tells those who wait for more events that there are some. Any thread; callbacks run on the
/// notifying thread and must not block.
class Signal {
 public:
  /// Ends the subscription when it is destroyed.
  class Subscription {
   public:
    Subscription(Signal& signal, std::uint64_t id) : signal_(signal), id_(id) {}
    ~Subscription() { signal_.remove(id_); }
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    Signal& signal_;
    std::uint64_t id_;
  };

  std::unique_ptr<Subscription> subscribe(std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    callbacks_.emplace(++last_id_, std::move(callback));
    return std::make_unique<Subscription>(*this, last_id_);
  }

  void notify() {
    std::vector<std::function<void()>> callbacks;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, callback] : callbacks_) callbacks.push_back(callback);
    }
    for (const auto& callback : callbacks) callback();
  }

 private:
  void remove(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    callbacks_.erase(id);
  }

  std::mutex mutex_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, std::function<void()>> callbacks_;
};

}  // namespace daybook::api
