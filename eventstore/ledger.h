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
#include <unordered_map>
#include <vector>

#include "domain/base/clock.h"
#include "eventstore/event_log.h"
#include "eventstore/log_index.h"
#include "eventstore/recorded_clock.h"
#include "eventstore/sequencer.h"
#include "eventstore/waiting_room.h"

namespace daybook::eventstore {

struct LedgerLimits {
  // At each of these kOverloaded.
  std::size_t queue_commands_max = 65'536;  ///< Submitted and not decided, wherever they wait.
  std::size_t queue_bytes_max = std::size_t{64} << 20;    ///< Of those, their look-ups included.
  std::uint64_t index_lag_events_max = 500'000;           ///< Behind the head.
  std::size_t window_bytes_max = std::size_t{192} << 20;  ///< Of what the index has not got yet.

  std::size_t chunk_commands = 512;  ///< Decided between two looks at what was committed.
  /// While the log writes, the sequencer sleeps until this many wait or the queue is half full: the
  /// entry that they go into cannot be written before, and waking a thread for each command costs
  /// more than deciding it.
  std::size_t gather_commands = 256;
  int look_again_max = 64;  ///< Times that look-ups may turn out too old.
  SequencerLimits sequencer;
};

/// One of several commands that are submitted together.
struct Submission {
  Command command;
  Completion complete;
  /// Asked when it would enter the queue, and true lets it be answered kOverloaded instead: one
  /// before it was. Must not block. Empty: never.
  std::function<bool()> is_held_back;
};

/// The write side at work: look-ups, a bounded queue, the sequencer's thread and the log's thread.
/// Entry N+1 is filled while entry N is written; a group is sealed as soon as the log is free.
///
/// The commands of a stream are decided in the order in which they were submitted. One whose
/// look-ups have become too old waits with those behind it (eventstore/waiting_room.h) and is
/// looked up again by a thread of its own: the sequencer reads no store. If it cannot be decided
/// after all it is answered kOverloaded, and so is each of its stream that was submitted before
/// that answer: tried again, they come in the same order.
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

  /// The same for several, in their order: what is looked up for all of them enters the queue at
  /// once, so that they share group commits although the log is free. Each is judged by itself; a
  /// caller whose completions note what was kOverloaded, and whose is_held_back tells, never has a
  /// command decided after one of its stream that was not. At most half of the queue enters it at
  /// once.
  void submit(std::vector<Submission> commands);

  /// Called with each entry when it is durable, before the answers that rest on it go out.
  /// REQUIRES: set before the first submit.
  void on_commit(std::function<void(const Entry&)> observer) { observer_ = std::move(observer); }
  /// Called once when the store has failed: nothing is acknowledged any more.
  void on_failure(std::function<void()> observer) { failure_observer_ = std::move(observer); }

  /// Called when commands wait for the log index. REQUIRES: set before the first submit.
  void on_index_wanted(std::function<void()> observer) { index_wanted_ = std::move(observer); }
  /// The queue is full or the index too far behind: submit() would refuse. For a caller who can
  /// save himself work; what it says may be over at once.
  bool is_overloaded() const;
  /// It has neither failed nor begun to stop: else submit() would refuse, whatever else was done
  /// for the command before. What it says may be over at once.
  bool takes_commands() const;
  /// Called with why a look-up failed; its command is answered kOverloaded. Any thread.
  /// REQUIRES: set before the first submit.
  void on_look_up_failure(std::function<void(const Status&)> observer) {
    look_up_observer_ = std::move(observer);
  }

  /// The log index has everything before `position`.
  void indexed(std::uint64_t position);
  /// The log index will not advance any more: who waits for it is answered kOverloaded.
  void index_stopped();

  /// Everything before this position is durable.
  std::uint64_t committed() const { return committed_.load(std::memory_order_acquire); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }

  /// After this, no event is recorded at or before `time`. Returns the position before which every
  /// event recorded by then stands; once that is committed, a read as of `time` is final, also for
  /// every process that opens the log later. May sync a file: not on a thread that must not block.
  /// Errors: the store failed; nothing may be answered as of `time`.
  Result<std::uint64_t> close(Instant time) { return recorded_clock_.close(time); }

  /// Refuses new commands, decides what is queued, waits for the log. Idempotent.
  void stop();

  struct Load {
    std::size_t queued = 0;  ///< Submitted and not decided.
    std::size_t resident_streams = 0;
    std::size_t window_bytes = 0;
    std::uint64_t looked_again = 0;  ///< Times that look-ups were too old, in all.
  };
  Load load() const;

 private:
  /// What the sequencer's thread found while it held the lock.
  struct Work {
    std::vector<WaitingRoom::Party> looked_up;
    std::uint64_t committed = 0;
    std::uint64_t indexed = 0;
    bool index_stopped = false;
    bool log_failed = false;
    bool finished = false;
  };

  bool may_decide() const;
  bool is_half_full() const;

  /// A command on its way through the queue: some 900 bytes with its look-ups, which stay where
  /// they are while it goes from hand to hand.
  using Queued = std::unique_ptr<PreparedCommand>;
  /// One between its look-up and the queue.
  struct Arriving {
    Queued prepared;
    std::function<bool()> is_held_back;
  };
  Queued look_up(Command command, Completion complete);
  void enqueue(Queued prepared);
  void enqueue_all(std::vector<Arriving> arriving);
  void give_up(const PreparedCommand& prepared, AnswerKind kind);

  // The sequencer's thread.
  void run_sequencer();
  Work wait_for_work();
  void do_work(Work work);
  void fail();
  void decide();
  void offer(PreparedCommand& prepared, Instant now);
  void serve_waiting_room(const Work& work);
  void hand_over();
  void answer_all(std::vector<PreparedCommand> commands, AnswerKind kind);
  void put_off(PreparedCommand prepared);
  bool is_put_off(const PreparedCommand& prepared) const;
  void forget_put_off();
  void uncount(const PreparedCommand& prepared);

  void run_look_ups();
  void look_again(WaitingRoom::Party& party);
  void run_log();

  EventLog& log_;
  const LogIndex& index_;
  RecordedClock recorded_clock_;
  LedgerLimits limits_;
  std::function<void(const Entry&)> observer_;
  std::function<void()> failure_observer_;
  std::function<void()> index_wanted_;
  std::function<void(const Status&)> look_up_observer_;

  // The sequencer's thread alone (sequencer_.residents() excepted).
  Sequencer sequencer_;
  std::vector<Queued> chunk_;  ///< Taken from the queue; all before chunk_next_ are gone.
  std::size_t chunk_next_ = 0;
  WaitingRoom room_;
  std::size_t parties_away_ = 0;  ///< Lines of the room that are being looked up again.
  /// Streams of which a command was put off -> the last arrival that is put off with it.
  std::unordered_map<std::string, std::uint64_t> put_off_;
  std::uint64_t passed_arrival_ = 0;  ///< Of the last command that left the chunk.
  std::uint64_t seen_done_;           ///< What the sequencer has been told.
  std::uint64_t seen_indexed_;

  mutable std::mutex mutex_;
  std::condition_variable sequencer_wakes_;
  std::condition_variable log_wakes_;
  std::condition_variable look_ups_wake_;
  // Guarded by mutex_.
  std::deque<Queued> queue_;
  std::uint64_t arrivals_ = 0;
  std::deque<WaitingRoom::Party> to_look_up_;
  std::vector<WaitingRoom::Party> looked_up_;
  std::shared_ptr<const Entry> at_log_;  ///< Being written, or null: the log is free.
  std::uint64_t log_done_;               ///< Everything before it is written.
  bool log_failed_ = false;
  std::uint64_t indexed_;
  bool index_stopped_ = false;
  bool unsent_entry_ = false;  ///< The sequencer has something for a free log.
  bool stopping_ = false;
  bool look_ups_stopping_ = false;
  bool log_stopping_ = false;
  Load load_;

  // Of what is submitted and not decided: counted before it enters the queue.
  std::atomic<std::size_t> held_commands_{0};
  std::atomic<std::size_t> held_bytes_{0};
  std::atomic<std::size_t> window_bytes_{0};
  std::atomic<std::uint64_t> looked_again_{0};
  std::atomic<std::uint64_t> committed_;
  std::atomic<bool> failed_{false};
  std::thread sequencer_thread_;
  std::thread look_ups_thread_;
  std::thread log_thread_;
};

}  // namespace daybook::eventstore
