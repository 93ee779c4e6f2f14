#include "api/in_flight.h"

#include <atomic>
#include <functional>
#include <utility>

#include "api/problem.h"

namespace daybook::api {

struct InFlight::Duplicate {
  std::string request_id;
  Respond respond;
  std::atomic<bool> answered{false};

  void answer(HttpResponse response) {
    if (!answered.exchange(true)) std::exchange(respond, nullptr)(std::move(response));
  }
};

InFlight::InFlight(std::chrono::milliseconds patience) : patience_(patience) {
  watcher_ = std::thread([this] { watch(); });
}

InFlight::~InFlight() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakes_.notify_all();
  watcher_.join();
}

Respond InFlight::guard(std::string_view scope, std::string_view key, std::string request_id,
                        Respond respond) {
  const std::hash<std::string_view> hash_of;
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
  const std::uint64_t hash = hash_of(scope) * kOdd + hash_of(key);
  if (!enter(hash)) {
    return [this, hash, respond = std::move(respond)](HttpResponse response) {
      leave(hash);
      respond(std::move(response));
    };
  }
  auto duplicate = std::make_shared<Duplicate>();
  duplicate->request_id = std::move(request_id);
  duplicate->respond = std::move(respond);
  {
    const std::lock_guard lock(mutex_);
    waits_.push_back({SteadyClock::now() + patience_, duplicate});
  }
  wakes_.notify_one();
  return [this, hash, duplicate = std::move(duplicate)](HttpResponse response) {
    leave(hash);
    duplicate->answer(std::move(response));
  };
}

bool InFlight::enter(std::uint64_t hash) {
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  return ++shard.running[hash] > 1;
}

void InFlight::leave(std::uint64_t hash) {
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.running.find(hash);
  if (--found->second == 0) shard.running.erase(found);
}

void InFlight::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (waits_.empty()) {
      wakes_.wait(lock);
      continue;
    }
    if (SteadyClock::now() < waits_.front().until) {
      wakes_.wait_until(lock, waits_.front().until);
      continue;
    }
    const auto duplicate = waits_.front().duplicate.lock();
    waits_.pop_front();
    if (duplicate == nullptr) continue;
    lock.unlock();
    HttpResponse response =
        problem(409, "idempotency-in-flight",
                "a request with this Idempotency-Key is still running; send it again later",
                duplicate->request_id);
    response.headers.emplace_back("Retry-After", "1");
    duplicate->answer(std::move(response));
    lock.lock();
  }
}

}  // namespace daybook::api
