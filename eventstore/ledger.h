#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "domain/base/clock.h"
#include "eventstore/event_log.h"
#include "eventstore/log_index.h"
#include "eventstore/recorded_clock.h"
#include "eventstore/sequencer.h"

namespace daybook::eventstore {

struct LedgerLimits {
  std::size_t queue_commands_max = 65'536;  ///< Waiting for the sequencer; beyond it kOverloaded.
  std::uint64_t index_lag_events_max = 500'000;  ///< Behind the head; beyond it kOverloaded.
  std::size_t chunk_commands = 512;  ///< Decided between two looks at what was committed.
  int look_again_max = 64;           ///< Times that look-ups may turn out too old.
  SequencerLimits sequencer;
};

/// The write side at work: look-ups, a bounded queue, the sequencer's thread and the log's thread.
/// Entry N+1 is filled while entry N is written; a group is sealed as soon as the log is free.
///
/// Thread rule: submit, head and the on_* setters' effects from any thread; completions and
/// observers run on this object's threads and must not block.
/// Crash: what an answer said is in the log; what was not answered is there as a whole or absent.
class Ledger {
 public:
  /// The index must have the whole log (LogIndex::applied() == head). `log` and `index` outlive it.
  Ledger(EventLog& log, const LogIndex& index, const Clock& clock, LedgerLimits limits);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Looks up what the command needs on the calling thread and queues it. `complete` is called
  /// exactly once, possibly before this returns.
  void submit(Command command, Completion complete);

  /// Called with each entry when it is durable, before the answers that rest on it go out.
  /// REQUIRES: set before the first submit.
  void on_commit(std::function<void(const Entry&)> observer) { observer_ = std::move(observer); }
  /// Called once when the store has failed: nothing is acknowledged any more.
  void on_failure(std::function<void()> observer) { failure_observer_ = std::move(observer); }

  /// Called with why a look-up failed; its command is answered kOverloaded. Any thread.
  /// REQUIRES: set before the first submit.
  void on_look_up_failure(std::function<void(const Status&)> observer) {
    look_up_observer_ = std::move(observer);
  }

  /// The log index has everything before `position`.
  void indexed(std::uint64_t position);

  /// Everything before this position is durable.
  std::uint64_t committed() const { return committed_.load(std::memory_order_acquire); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }

  /// After this, no event is recorded at or before `time`. Returns the position before which every
  /// event recorded by then stands; once that is committed, a read as of `time` is final.
  std::uint64_t close(Instant time) { return recorded_clock_.close(time); }

  /// Refuses new commands, decides what is queued, waits for the log. Idempotent.
  void stop();

  struct Load {
    std::size_t queued = 0;
    std::size_t resident_streams = 0;
    std::size_t window_bytes = 0;
  };
  Load load() const;

 private:
  /// What the sequencer's thread found to do while it held the lock.
  struct Work {
    std::vector<PreparedCommand> commands;
    std::uint64_t committed = 0;
    std::uint64_t indexed = 0;
    bool log_failed = false;
    bool log_is_free = false;
    bool finished = false;
  };

  void run_sequencer();
  Work wait_for_work();
  void do_work(Work work);
  void decide(std::vector<PreparedCommand> commands);
  void park(PreparedCommand prepared);
  void hand_over();
  void look_again(std::vector<PreparedCommand> parked);
  void run_log();

  EventLog& log_;
  const LogIndex& index_;
  RecordedClock recorded_clock_;
  LedgerLimits limits_;
  std::function<void(const Entry&)> observer_;
  std::function<void()> failure_observer_;
  std::function<void(const Status&)> look_up_observer_;

  // The sequencer's thread alone.
  Sequencer sequencer_;
  std::unordered_set<std::string> parked_streams_;

  mutable std::mutex mutex_;
  std::condition_variable sequencer_wakes_;
  std::condition_variable log_wakes_;
  // Guarded by mutex_.
  std::deque<PreparedCommand> queue_;
  std::vector<PreparedCommand> parked_;  ///< Their look-ups were too old; in order of arrival.
  std::uint64_t parked_until_ = 0;       ///< The index position that they wait for.
  std::shared_ptr<const Entry> at_log_;  ///< Being written, or null: the log is free.
  std::uint64_t log_done_;               ///< Everything before it is written.
  bool log_failed_ = false;
  std::uint64_t indexed_ = 0;
  std::uint64_t seen_done_;  ///< What the sequencer has been told.
  std::uint64_t seen_indexed_ = 0;
  bool unsent_entry_ = false;  ///< The sequencer has something for a free log.
  bool stopping_ = false;
  bool log_stopping_ = false;
  Load load_;

  std::atomic<std::uint64_t> committed_;
  std::atomic<bool> failed_{false};
  std::thread sequencer_thread_;
  std::thread log_thread_;
};

}  // namespace daybook::eventstore
