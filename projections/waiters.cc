#include "projections/waiters.h"

#include <vector>

#include "domain/base/check.h"

namespace daybook::projections {

bool PositionWaiters::add(std::uint64_t position, SteadyTime deadline, Callback callback) {
  {
    const std::lock_guard lock(mutex_);
    if (position > reached_) {
      if (closed_ || by_position_.size() >= waiters_max_) return false;
      const Place place{position, serial_++};
      by_position_.emplace(place, Waiter{deadline, std::move(callback)});
      by_deadline_.emplace(deadline, place);
      return true;
    }
  }
  callback(true);
  return true;
}

void PositionWaiters::reached(std::uint64_t position) {
  std::vector<Callback> settled;
  {
    const std::lock_guard lock(mutex_);
    reached_ = position;
    while (!by_position_.empty() && by_position_.begin()->first.first <= position) {
      const auto first = by_position_.begin();
      by_deadline_.erase({first->second.deadline, first->first});
      settled.push_back(std::move(first->second.callback));
      by_position_.erase(first);
    }
  }
  for (const Callback& callback : settled) callback(true);
}

void PositionWaiters::expire(SteadyTime now) {
  std::vector<Callback> settled;
  {
    const std::lock_guard lock(mutex_);
    while (!by_deadline_.empty() && std::get<SteadyTime>(*by_deadline_.begin()) <= now) {
      const auto waiter = by_position_.find(std::get<Place>(*by_deadline_.begin()));
      CHECK(waiter != by_position_.end());
      settled.push_back(std::move(waiter->second.callback));
      by_position_.erase(waiter);
      by_deadline_.erase(by_deadline_.begin());
    }
  }
  for (const Callback& callback : settled) callback(false);
}

void PositionWaiters::close() {
  std::map<Place, Waiter> settled;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    settled.swap(by_position_);
    by_deadline_.clear();
  }
  for (const auto& [place, waiter] : settled) waiter.callback(false);
}

std::optional<SteadyTime> PositionWaiters::next_deadline() const {
  const std::lock_guard lock(mutex_);
  if (by_deadline_.empty()) return std::nullopt;
  return std::get<SteadyTime>(*by_deadline_.begin());
}

std::optional<std::uint64_t> PositionWaiters::next_position() const {
  const std::lock_guard lock(mutex_);
  if (by_position_.empty()) return std::nullopt;
  return by_position_.begin()->first.first;
}

std::size_t PositionWaiters::size() const {
  const std::lock_guard lock(mutex_);
  return by_position_.size();
}

}  // namespace daybook::projections
