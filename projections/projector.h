#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "domain/base/clock.h"
#include "domain/base/result.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/event_log.h"
#include "eventstore/kv.h"
#include "eventstore/stream_numbers.h"
#include "projections/checkpoint.h"
#include "projections/projection.h"
#include "projections/waiters.h"

namespace daybook::projections {

struct ProjectorLimits {
  /// A batch is written when it has this many events or bytes of entries, or when its rows take so
  /// much memory (many events of few accounts take little; new accounts, and those with much in
  /// them, much), and at once when there is nothing more to read. An entry is the least.
  std::uint64_t batch_events = 262'144;
  std::size_t batch_bytes = std::size_t{32} << 20;
  std::size_t batch_memory_bytes = std::size_t{128} << 20;
  /// From so many events on a batch is ingested (kv.h) instead of written.
  std::uint64_t ingest_events = 32'768;
  /// Threads that give a batch to its projections and sort its rows, each projection on one. More
  /// than one where nothing else needs the cores: this many events are then read before them.
  std::size_t threads = 1;
  std::uint64_t share_events = 16'384;
  /// A flush begins at the latest after this many events, or once this has passed since the first
  /// write that is not flushed. What came since the last one began that has ended, up to
  /// about twice as much, is what a restart reads again and how far behind `daybook verify`
  /// compares. The time is looked at after each batch and at each wake of the thread.
  std::uint64_t flush_events = 250'000;
  std::int64_t flush_micros = 60'000'000;
  std::size_t waiters_max = 10'000;      ///< Beyond it when_applied refuses.
  std::int64_t idle_micros = 1'000'000;  ///< Longest sleep of the thread.
  /// The thread lets this pass from one batch to the next that nobody waits for: a write per table
  /// costs about the same for one event and for hundreds.
  std::int64_t gather_micros = 200'000;
};

struct ProjectionStatus {
  std::string name;
  std::uint64_t position = 0;  ///< Everything before it is in the table.
  std::uint64_t lag = 0;       ///< Committed events that are not.
  bool rebuilt = false;        ///< Its table did not fit the log or the code and was begun anew.
  Status last_error;
};

struct ProjectorStatus {
  std::vector<ProjectionStatus> projections;
  std::uint64_t applied = 0;  ///< The least position of all.
  std::size_t waiters = 0;
  Status error;  ///< Why it stopped, if it did.
};

/// Drives projections over a log: reads each entry once, gives it to every projection that has not
/// got it, and writes the rows and checkpoints of all tables in one batch: a reader of the store
/// finds every table that has caught up at the same position.
///
/// A table whose checkpoint has another code version, or does not fit the log, is cleared and
/// rebuilt; the others keep what they have and go on when it has caught up.
///
/// Errors: a write that fails, an entry that cannot be read, an event that cannot be decoded stop
/// it for good, with the error published. It never skips.
///
/// Thread rule: run_once, start and stop by one thread, and run_once not between start and stop;
/// on_applied and on_failed before either. Everything else by any thread. Callbacks run on the
/// projector's thread (its caller's for run_once; when_applied calls at once in the calling thread
/// what is there already) and must not block. Crash: tables fall back to earlier batches, each with
/// its own checkpoint, and are read on from there.
class Projector {
 public:
  /// REQUIRES: each projection has a table of its own. `log`, `store` and `clock` outlive it; the
  /// clock measures how long waiters wait and the time between flushes, and only its steady() does.
  Projector(const eventstore::EventLog& log, eventstore::KvStore& store, const Clock& clock,
            std::vector<std::unique_ptr<Projection>> projections, ProjectorLimits limits = {});
  /// As abandon().
  ~Projector();
  Projector(const Projector&) = delete;
  Projector& operator=(const Projector&) = delete;

  /// Catches up with what is committed. After an error: that error again.
  Status run_once();

  /// Begins a thread that follows the log, at lower priority than the write side.
  void start();
  /// Ends the thread after one more batch, lets waiters go and flushes the store. Idempotent.
  Status stop();
  /// Ends the thread as a crash would, after the batch it is at and without a flush (the
  /// store's own end may try one, and cut off one that has begun), and lets waiters go: for a store
  /// that has failed. Afterwards nothing is called back. Idempotent.
  void abandon();
  /// Something was committed. Cheap; may come before start.
  void notify();
  /// Somebody needs what was committed now: the thread gathers no longer. As when_applied does,
  /// unless what it waits for is not committed yet.
  void hurry();

  /// Everything before this position is in all tables.
  std::uint64_t applied() const { return applied_.load(std::memory_order_acquire); }
  ProjectorStatus status() const;

  /// Calls back once everything before `position` is applied, or with false after `wait_micros`, on
  /// an error and at the end. Returns false, and never calls back, with too many waiters or after
  /// an error or the end.
  [[nodiscard]] bool when_applied(std::uint64_t position, std::int64_t wait_micros,
                                  PositionWaiters::Callback callback);

  /// Called with applied() whenever it may have changed, once at the beginning too.
  void on_applied(std::function<void(std::uint64_t)> observer) { observer_ = std::move(observer); }
  /// Called once, when an error has stopped it: applied() will not advance any more.
  void on_failed(std::function<void()> observer) { failure_observer_ = std::move(observer); }

 private:
  struct Follower {
    std::unique_ptr<Projection> projection;
    Checkpoint done;
    eventstore::KvBatch batch;
    bool behind = false;  ///< The open batch has something for it.
  };
  struct Published {
    std::string name;
    std::uint64_t position = 0;
    bool rebuilt = false;
    Status error;
  };

  Status open();
  Status open(Follower& follower, std::size_t index);
  Status catch_up();
  enum class BatchRead { kNothing, kPart, kFull };  ///< Full: there may be more.
  Result<BatchRead> run_batch();
  Status flush_if_due();
  Status begin_flush();
  Status flush();
  void count_flushed();
  using Share = std::vector<eventstore::DecodedEntry>;
  Result<Share> read_share();
  Status take(const Share& share);
  Status take(Follower& follower, const eventstore::DecodedEntry& decoded);
  Status close_batch(Follower& follower, const Checkpoint& end);
  Status write_batch(const Checkpoint& end, std::uint64_t events);
  std::size_t batch_memory() const;
  Status fail(std::size_t index, Status status);
  void publish();
  void run();
  void wait_for_work(SteadyTime began);
  void end_thread();
  bool is_awaited() const;
  bool is_stopping() const;

  const eventstore::EventLog& log_;
  eventstore::KvStore& store_;
  const Clock& clock_;
  ProjectorLimits limits_;
  std::function<void(std::uint64_t)> observer_;
  std::function<void()> failure_observer_;

  // The projector's thread alone.
  std::vector<Follower> followers_;
  std::unique_ptr<eventstore::EntryCursor> cursor_;
  eventstore::StreamNumbers stream_numbers_;
  std::uint64_t next_entry_no_ = 0;
  std::uint64_t unflushed_events_ = 0;
  std::optional<SteadyTime> unflushed_since_;  ///< Empty: of everything a flush has begun.
  bool flush_begun_ = false;                   ///< Nobody has waited for the last one.
  Status failure_;

  PositionWaiters waiters_;
  std::atomic<std::uint64_t> applied_{0};

  mutable std::mutex mutex_;
  std::condition_variable wakes_;
  // Guarded by mutex_.
  std::vector<Published> published_;
  Status published_failure_;
  bool notified_ = false;
  bool hurried_ = false;
  bool awaited_later_ = false;  ///< There may be a new deadline, and nothing to read.
  bool stopping_ = false;
  bool abandoned_ = false;  ///< And nothing more is written.

  bool gathers_ = false;  ///< Runs on its own thread; set before that starts.
  std::thread thread_;
};

}  // namespace daybook::projections
