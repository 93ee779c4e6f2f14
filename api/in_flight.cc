#include "api/in_flight.h"

#include <functional>
#include <utility>

#include "api/problem.h"

namespace daybook::api {

namespace {

HttpResponse still_running(const std::string& request_id) {
  HttpResponse response = problem(
      409, "idempotency-in-flight",
      "a request with this Idempotency-Key is still running; send it again later", request_id);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

struct InFlight::Duplicate {
  std::string request_id;
  Respond respond;
  // Guarded by the mutex of its owner.
  bool waits = false;
  SteadyClock::time_point until;
  Waits::iterator place;
};

InFlight::InFlight(std::chrono::milliseconds patience, std::size_t waits_max)
    : patience_(patience), waits_max_(waits_max) {
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
  if (!add(duplicate)) {
    duplicate->respond(still_running(duplicate->request_id));
    return [this, hash](const HttpResponse&) { leave(hash); };
  }
  return [this, hash, duplicate = std::move(duplicate)](HttpResponse response) {
    leave(hash);
    if (take(*duplicate)) std::exchange(duplicate->respond, nullptr)(std::move(response));
  };
}

bool InFlight::add(const std::shared_ptr<Duplicate>& duplicate) {
  {
    const std::lock_guard lock(mutex_);
    if (waits_.size() >= waits_max_) return false;
    duplicate->waits = true;
    duplicate->until = SteadyClock::now() + patience_;
    duplicate->place = waits_.insert(waits_.end(), duplicate);
  }
  wakes_.notify_one();
  return true;
}

bool InFlight::take(Duplicate& duplicate) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(duplicate.waits, false)) return false;
  waits_.erase(duplicate.place);
  return true;
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
    const auto until = waits_.front()->until;
    if (SteadyClock::now() < until) {
      wakes_.wait_until(lock, until);
      continue;
    }
    const auto duplicate = std::move(waits_.front());
    waits_.pop_front();
    duplicate->waits = false;
    lock.unlock();
    // Its command may hang for long and must not keep what the answer went to.
    std::exchange(duplicate->respond, nullptr)(still_running(duplicate->request_id));
    lock.lock();
  }
}

}  // namespace daybook::api
