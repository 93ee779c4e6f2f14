#include "projections/private_follower.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "domain/base/check.h"
#include "eventstore/event_codec.h"

namespace daybook::projections {
namespace {

using domain::PrivateDataErased;
using domain::TagSet;

constexpr std::size_t kNamedAtOnce = 1'000;

}  // namespace

PrivateFollower::PrivateFollower(const eventstore::EventLog& log, eventstore::PrivateStore& store,
                                 const Clock& clock, PrivateFollowerLimits limits)
    : log_(log), store_(store), clock_(clock), limits_(limits), waiters_(limits.waiters_max) {}

PrivateFollower::~PrivateFollower() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakes_.notify_all();
  if (thread_.joinable()) thread_.join();
  waiters_.close();
}

bool PrivateFollower::concerns(std::uint16_t type) {
  return type == TagSet::kType || type == PrivateDataErased::kType;
}

Status PrivateFollower::open() {
  CHECK(!thread_.joinable());
  const std::uint64_t head = log_.head().next_position;
  const auto applied = store_.applied();
  if (!applied.ok()) return applied.status();
  if (*applied && **applied > head) {
    return corrupt("the private store has seen position " + std::to_string(**applied - 1) +
                   ", and the log ends before " + std::to_string(head) +
                   ": they are not of one ledger, or the log was rolled back");
  }
  if (!*applied) {
    if (Status status = store_.begin_anew(); !status.ok()) return status;
  }
  stored_applied_ = applied->value_or(0);
  if (Status status = follow(stored_applied_, head); !status.ok()) return status;
  for (;;) {
    const auto orphans = store_.pending(limits_.discards_max);
    if (!orphans.ok()) return orphans.status();
    if (orphans->empty()) break;
    if (Status status = store_.drop(*orphans); !status.ok()) return status;
    // A mark that is left makes the next opening purge, should this one be cut short.
    if (Status status = store_.purge(); !status.ok()) return status;
    if (Status status = store_.forget(*orphans); !status.ok()) return status;
  }
  if (!*applied || stored_applied_ != head) {
    if (Status status = set_applied(head); !status.ok()) return status;
  }
  purged_at_ = clock_.steady();
  {
    const std::lock_guard lock(mutex_);
    seen_ = head;
  }
  waiters_.reached(head);
  return {};
}

void PrivateFollower::start() {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this] { run(); });
}

Status PrivateFollower::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakes_.notify_all();
  if (thread_.joinable()) thread_.join();
  waiters_.close();
  return status();
}

Status PrivateFollower::status() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void PrivateFollower::committed(const eventstore::Entry& entry, bool concerned) {
  {
    const std::lock_guard lock(mutex_);
    seen_ = entry.end_position();
    if (!concerned) return;
    if (!wanted_from_) wanted_from_ = entry.base_position;
  }
  wakes_.notify_one();
}

void PrivateFollower::discard(const TenantId& tenant, const AccountId& account,
                              const domain::PrivateValue& value) {
  {
    const std::lock_guard lock(mutex_);
    if (discards_.size() >= limits_.discards_max) return;
    discards_.push_back(eventstore::PrivateStore::key_of(tenant, account, value.reference));
  }
  wakes_.notify_one();
}

bool PrivateFollower::when_applied(std::uint64_t position, std::int64_t wait_micros,
                                   PositionWaiters::Callback callback) {
  const SteadyTime deadline = later_by(clock_.steady(), wait_micros);
  const bool taken = waiters_.add(position, deadline, std::move(callback));
  if (taken) wakes_.notify_one();
  return taken;
}

// --- The thread
// -----------------------------------------------------------------------------------

void PrivateFollower::run() {
  for (;;) {
    const Work work = wait_for_work();
    const Status status = do_work(work);
    waiters_.expire(clock_.steady());
    if (!status.ok()) {
      {
        const std::lock_guard lock(mutex_);
        failure_ = status;
      }
      waiters_.close();
      return;
    }
    if (work.stopping) return;
  }
}

PrivateFollower::Work PrivateFollower::wait_for_work() {
  std::int64_t micros = limits_.idle_micros;
  if (const auto deadline = waiters_.next_deadline()) {
    micros = std::clamp<std::int64_t>(deadline->micros - clock_.steady().micros, 1'000, micros);
  }
  std::unique_lock lock(mutex_);
  wakes_.wait_for(lock, std::chrono::microseconds(micros),
                  [this] { return stopping_ || wanted_from_ || !discards_.empty(); });
  Work work;
  work.to = seen_;
  work.from = std::exchange(wanted_from_, std::nullopt).value_or(seen_);
  work.discards.swap(discards_);
  work.stopping = stopping_;
  return work;
}

Status PrivateFollower::do_work(const Work& work) {
  if (Status status = discard_now(work.discards); !status.ok()) return status;
  if (work.from < work.to) {
    if (Status status = follow(work.from, work.to); !status.ok()) return status;
  }
  const bool is_behind = work.to - stored_applied_ >= limits_.applied_events ||
                         (work.stopping && work.to != stored_applied_);
  if (is_behind) {
    if (Status status = set_applied(work.to); !status.ok()) return status;
  }
  waiters_.reached(work.to);
  const bool is_due = clock_.steady().micros - purged_at_.micros >= limits_.purge_micros;
  if (!dropped_.empty() && (is_due || dropped_.size() >= limits_.discards_max)) return purge();
  return {};
}

Status PrivateFollower::follow(std::uint64_t from, std::uint64_t to) {
  auto cursor = log_.read(from);
  if (!cursor.ok()) return cursor.status();
  while (true) {
    const auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry || (*entry)->base_position >= to) break;
    Status status;
    eventstore::for_each_event(**entry, [&](std::uint64_t position, std::string_view bytes) {
      if (position < from) return true;
      const auto head = eventstore::decode_event_head(bytes);
      if (head.ok() && !concerns(head->type)) return true;
      const auto event = eventstore::decode_event(bytes);
      status = event.ok() ? apply(*event, position) : event.status();
      return status.ok();
    });
    if (!status.ok()) return status;
  }
  if (Status status = flush_named(); !status.ok()) return status;
  if (!std::exchange(purge_wanted_, false)) return {};
  if (unpurged_) {
    if (Status status = purge(); !status.ok()) return status;
  }
  return set_applied(to);
}

Status PrivateFollower::apply(const domain::RecordedEvent& event, std::uint64_t position) {
  const AccountId account(event.stream.id);
  if (const auto* tag = std::get_if<TagSet>(&event.event); tag != nullptr && tag->extra) {
    named_.push_back({event.stream.tenant, account, tag->extra->reference, position});
    return named_.size() < kNamedAtOnce ? Status() : flush_named();
  }
  if (!std::holds_alternative<PrivateDataErased>(event.event)) return {};
  if (Status status = flush_named(); !status.ok()) return status;
  const auto erased = store_.erase(event.stream.tenant, account, position);
  if (!erased.ok()) return erased.status();
  purge_wanted_ = true;
  if (*erased > 0) unpurged_ = true;
  return {};
}

Status PrivateFollower::flush_named() {
  Status status = store_.name(named_);
  named_.clear();
  return status;
}

Status PrivateFollower::discard_now(const std::vector<std::string>& keys) {
  if (keys.empty()) return {};
  if (Status status = store_.drop(keys); !status.ok()) return status;
  dropped_.insert(dropped_.end(), keys.begin(), keys.end());
  unpurged_ = true;
  return {};
}

Status PrivateFollower::purge() {
  if (Status status = store_.purge(); !status.ok()) return status;
  unpurged_ = false;
  purged_at_ = clock_.steady();
  Status status = store_.forget(dropped_);
  dropped_.clear();
  return status;
}

Status PrivateFollower::set_applied(std::uint64_t position) {
  Status status = store_.set_applied(position);
  if (status.ok()) stored_applied_ = position;
  return status;
}

}  // namespace daybook::projections
