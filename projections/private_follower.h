#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "domain/base/clock.h"
#include "domain/base/result.h"
#include "domain/base/strong_id.h"
#include "domain/event.h"
#include "eventstore/event_log.h"
#include "eventstore/private_store.h"
#include "projections/waiters.h"

namespace daybook::projections {

struct PrivateFollowerLimits {
  std::size_t discards_max = 10'000;        ///< Beyond: removed at the next opening.
  std::size_t waiters_max = 10'000;         ///< Beyond it when_applied refuses.
  std::uint64_t applied_events = 250'000;   ///< Events that an opening looks at again, about.
  std::int64_t idle_micros = 1'000'000;     ///< Longest sleep of the thread.
  std::int64_t purge_micros = 600'000'000;  ///< Between two purges for discarded values alone.
};

/// Does to the private store what the log says: a value that an event names is no longer pending,
/// an erasure takes what was named before it. It keeps in the store up to where it has the log, so
/// an erasure that a crash cut short is finished at the next opening, and one that is repeated
/// takes nothing newer. Values whose command recorded nothing are removed.
///
/// Not a Projection: what it does cannot be undone, so nothing may rebuild it beside the live one.
///
/// Errors: one that the log or the store gives stops it for good; values stay until the next
/// opening. Thread rule: open, start and stop by one thread; the rest by any. Callbacks run on its
/// thread, or at once in the caller's, and must not block.
/// Crash: everything it does can be done again.
class PrivateFollower {
 public:
  PrivateFollower(const eventstore::EventLog& log, eventstore::PrivateStore& store,
                  const Clock& clock, PrivateFollowerLimits limits = {});
  /// Ends the thread as a crash would.
  ~PrivateFollower();
  PrivateFollower(const PrivateFollower&) = delete;
  PrivateFollower& operator=(const PrivateFollower&) = delete;

  /// Applies what the log has and removes values that no event names. Before anything is put.
  /// Errors: kCorrupt when the store has seen more than the log holds: they are not of one ledger.
  Status open();
  void start();
  /// Ends the thread after what it is at, and lets waiters go. Idempotent.
  Status stop();

  /// Whether events of this type say anything about private values.
  static bool concerns(std::uint16_t type);
  /// `entry` is durable. Cheap. `concerned`: an event in it has a type that concerns.
  void committed(const eventstore::Entry& entry, bool concerned);

  /// No event will ever name this value.
  void discard(const TenantId& tenant, const AccountId& account, const domain::PrivateValue& value);

  /// Why it stopped, if it did: no erasure is carried out any more.
  Status status() const;

  /// Calls back once everything before `position` is applied, or with false after `wait_micros`, on
  /// an error and at the end. Returns false, and never calls back, with too many waiters or after
  /// an error or the end.
  [[nodiscard]] bool when_applied(std::uint64_t position, std::int64_t wait_micros,
                                  PositionWaiters::Callback callback);

 private:
  struct Work {
    std::uint64_t from = 0;
    std::uint64_t to = 0;  ///< Events in [from, to) are to be applied; none if equal.
    std::vector<std::string> discards;
    bool stopping = false;
  };

  void run();
  Work wait_for_work();
  Status do_work(const Work& work);
  Status follow(std::uint64_t from, std::uint64_t to);
  Status apply(const domain::RecordedEvent& event, std::uint64_t position);
  Status flush_named();
  Status discard_now(const std::vector<std::string>& keys);
  Status purge();
  Status set_applied(std::uint64_t position);

  const eventstore::EventLog& log_;
  eventstore::PrivateStore& store_;
  const Clock& clock_;
  PrivateFollowerLimits limits_;
  PositionWaiters waiters_;

  // Its own thread alone; before start(), its owner's.
  std::vector<eventstore::PrivateStore::Named> named_;  ///< Read, not yet written.
  std::vector<std::string> dropped_;  ///< Values that are removed, but not from every file.
  bool purge_wanted_ = false;         ///< An erasure is being applied.
  bool unpurged_ = true;  ///< Something may have been erased since the last purge, before a crash
                          ///< for instance.
  std::uint64_t stored_applied_ = 0;
  SteadyTime purged_at_;

  mutable std::mutex mutex_;
  std::condition_variable wakes_;
  // Guarded by mutex_.
  std::uint64_t seen_ = 0;                    ///< Everything before it was told of.
  std::optional<std::uint64_t> wanted_from_;  ///< The first of it that is to be applied.
  std::vector<std::string> discards_;
  bool stopping_ = false;
  Status failure_;

  std::thread thread_;
};

}  // namespace daybook::projections
