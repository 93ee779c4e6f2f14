#include "eventstore/ledger.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <pthread.h>

#include "domain/base/check.h"
#include "eventstore/memory_use.h"
#include "eventstore/stream_key.h"

namespace daybook::eventstore {
namespace {

Answer overloaded() { return {.kind = AnswerKind::kOverloaded}; }

/// What is kept although indexed must not fill the window by itself: it would stay full for good.
SequencerLimits within_window(const LedgerLimits& limits) {
  SequencerLimits sequencer = limits.sequencer;
  sequencer.window_slack_bytes =
      std::min(sequencer.window_slack_bytes, limits.window_bytes_max / 2);
  return sequencer;
}

}  // namespace

Ledger::Ledger(EventLog& log, const LogIndex& index, const Clock& clock, LedgerLimits limits)
    : log_(log),
      index_(index),
      recorded_clock_(clock, log),
      limits_(limits),
      sequencer_(log.head(), 0, within_window(limits)),
      seen_done_(log.head().next_position),
      seen_indexed_(seen_done_),
      log_done_(seen_done_),
      indexed_(seen_done_),
      committed_(seen_done_) {
  CHECK(index.applied() == log_done_);
  sequencer_thread_ = std::thread([this] { run_sequencer(); });
  look_ups_thread_ = std::thread([this] { run_look_ups(); });
  log_thread_ = std::thread([this] { run_log(); });
}

Ledger::~Ledger() { stop(); }

void Ledger::submit(Command command, Completion complete) {
  Queued prepared = look_up(std::move(command), std::move(complete));
  if (prepared == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      enqueue(std::move(prepared));
      // With the lock: after it this thread, which nobody waits for, might find the ledger gone.
      if (may_decide()) sequencer_wakes_.notify_one();
      return;
    }
  }
  give_up(*prepared, AnswerKind::kOverloaded);
}

void Ledger::submit(std::vector<Submission> commands) {
  std::vector<Arriving> arriving;
  std::size_t bytes = 0;
  for (Submission& submission : commands) {
    Queued prepared = look_up(std::move(submission.command), std::move(submission.complete));
    if (prepared == nullptr) continue;
    bytes += prepared->bytes;
    arriving.push_back({std::move(prepared), std::move(submission.is_held_back)});
    // The other half is for those that come while the sequencer is at these.
    const bool is_half =
        arriving.size() >= limits_.queue_commands_max / 2 || bytes >= limits_.queue_bytes_max / 2;
    if (!is_half) continue;
    enqueue_all(std::exchange(arriving, {}));
    bytes = 0;
  }
  enqueue_all(std::move(arriving));
}

/// Counts the command, or answers it and gives null.
Ledger::Queued Ledger::look_up(Command command, Completion complete) {
  if (failed()) {
    complete(Answer{});
    return nullptr;
  }
  if (is_overloaded()) {
    complete(overloaded());
    return nullptr;
  }
  auto lookups = index_.look_up(command, sequencer_.residents().lacking(command));
  if (!lookups.ok()) {
    if (look_up_observer_) look_up_observer_(lookups.status());
    // Nothing was queued: not begun, and the store that could not be read may be read later.
    complete(overloaded());
    return nullptr;
  }
  auto prepared = std::make_unique<PreparedCommand>();
  prepared->command = std::move(command);
  prepared->lookups = std::move(*lookups);
  prepared->complete = std::move(complete);
  prepared->bytes = memory_of(prepared->command) + memory_of(prepared->lookups);
  held_commands_.fetch_add(1, std::memory_order_relaxed);
  held_bytes_.fetch_add(prepared->bytes, std::memory_order_relaxed);
  return prepared;
}

/// With the lock held.
void Ledger::enqueue(Queued prepared) {
  prepared->arrival = ++arrivals_;
  queue_.push_back(std::move(prepared));
}

void Ledger::enqueue_all(std::vector<Arriving> arriving) {
  std::vector<Queued> refused;
  {
    const std::lock_guard lock(mutex_);
    for (Arriving& each : arriving) {
      // With the lock held: what is put off from now on takes along all that entered the queue.
      const bool is_held_back = each.is_held_back && each.is_held_back();
      if (stopping_ || is_held_back) {
        refused.push_back(std::move(each.prepared));
      } else {
        enqueue(std::move(each.prepared));
      }
    }
    if (may_decide()) sequencer_wakes_.notify_one();
  }
  for (const Queued& prepared : refused) give_up(*prepared, AnswerKind::kOverloaded);
}

/// Answers a command that is not decided.
void Ledger::give_up(const PreparedCommand& prepared, AnswerKind kind) {
  uncount(prepared);
  prepared.complete(Answer{.kind = kind});
}

bool Ledger::takes_commands() const {
  const std::lock_guard lock(mutex_);
  return !stopping_ && !failed();
}

bool Ledger::is_overloaded() const {
  const std::uint64_t committed = this->committed();
  const std::uint64_t lag = committed - std::min(committed, index_.applied());
  return lag > limits_.index_lag_events_max ||
         held_commands_.load(std::memory_order_relaxed) >= limits_.queue_commands_max ||
         held_bytes_.load(std::memory_order_relaxed) >= limits_.queue_bytes_max ||
         window_bytes_.load(std::memory_order_relaxed) >= limits_.window_bytes_max;
}

void Ledger::indexed(std::uint64_t position) {
  const std::lock_guard lock(mutex_);
  indexed_ = std::max(indexed_, position);
  sequencer_wakes_.notify_one();
}

void Ledger::index_stopped() {
  const std::lock_guard lock(mutex_);
  index_stopped_ = true;
  sequencer_wakes_.notify_one();
}

void Ledger::stop() {
  const auto end = [this](std::thread& thread, bool& flag, std::condition_variable& wakes) {
    {
      const std::lock_guard lock(mutex_);
      flag = true;
      wakes.notify_one();
    }
    if (thread.joinable()) thread.join();
  };
  // The sequencer ends when the other two have nothing left of it.
  end(sequencer_thread_, stopping_, sequencer_wakes_);
  end(look_ups_thread_, look_ups_stopping_, look_ups_wake_);
  end(log_thread_, log_stopping_, log_wakes_);
}

Ledger::Load Ledger::load() const {
  const std::lock_guard lock(mutex_);
  Load load = load_;
  load.queued = held_commands_.load(std::memory_order_relaxed);
  load.looked_again = looked_again_.load(std::memory_order_relaxed);
  return load;
}

/// With the lock held: there is something to decide, and it is time.
bool Ledger::may_decide() const {
  const bool log_is_free = at_log_ == nullptr;
  const bool is_enough = queue_.size() >= limits_.gather_commands || is_half_full();
  return !queue_.empty() && (log_is_free || is_enough);
}

/// Of all that is held, wherever it waits: what stands in the queue alone may never get so many.
bool Ledger::is_half_full() const {
  return held_commands_.load(std::memory_order_relaxed) >= limits_.queue_commands_max / 2 ||
         held_bytes_.load(std::memory_order_relaxed) >= limits_.queue_bytes_max / 2;
}

// --- The sequencer's thread
// ----------------------------------------------------------------------------

void Ledger::run_sequencer() {
  ::pthread_setname_np(::pthread_self(), "sequencer");
  while (true) {
    Work work = wait_for_work();
    if (work.finished) break;
    do_work(std::move(work));
  }
  // Who still waits would wait for an index that nobody may advance.
  answer_all(room_.clear(), AnswerKind::kOverloaded);
}

Ledger::Work Ledger::wait_for_work() {
  window_bytes_.store(sequencer_.window_bytes(), std::memory_order_relaxed);
  const bool has_commands = chunk_next_ < chunk_.size() || room_.has_ready();
  const bool wants_more = sequencer_.wants_more();
  std::unique_lock lock(mutex_);
  load_.resident_streams = sequencer_.resident_streams();
  load_.window_bytes = sequencer_.window_bytes();
  const auto can_decide = [&] { return wants_more && (has_commands || may_decide()); };
  const auto has_news = [&] {
    return log_done_ != seen_done_ || indexed_ != seen_indexed_ || !looked_up_.empty() ||
           (index_stopped_ && room_.waits_for_index()) || (log_failed_ && !failed()) ||
           (unsent_entry_ && at_log_ == nullptr);
  };
  const auto is_drained = [&] {
    return stopping_ && !has_news() && queue_.empty() && !has_commands && parties_away_ == 0 &&
           (log_failed_ || (at_log_ == nullptr && !unsent_entry_));
  };
  sequencer_wakes_.wait(lock, [&] { return can_decide() || has_news() || is_drained(); });
  Work work;
  work.finished = is_drained();
  work.committed = seen_done_ = log_done_;
  work.indexed = seen_indexed_ = indexed_;
  work.index_stopped = index_stopped_;
  work.log_failed = log_failed_;
  work.looked_up.swap(looked_up_);
  const bool takes = chunk_next_ == chunk_.size() && ((wants_more && may_decide()) || log_failed_);
  if (takes) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), limits_.chunk_commands));
    chunk_.assign(std::make_move_iterator(queue_.begin()),
                  std::make_move_iterator(queue_.begin() + count));
    chunk_next_ = 0;
    queue_.erase(queue_.begin(), queue_.begin() + count);
  }
  return work;
}

void Ledger::do_work(Work work) {
  parties_away_ -= work.looked_up.size();
  for (auto& party : work.looked_up) {
    if (party.failed) {
      put_off(std::move(party.commands.front()));
      party.commands.erase(party.commands.begin());
    }
    room_.readmit(std::move(party));
  }
  if (work.log_failed) {
    fail();
    return;
  }
  sequencer_.note_committed(work.committed);
  sequencer_.on_indexed(work.indexed);
  decide();
  serve_waiting_room(work);
  forget_put_off();
  hand_over();
  // Answers are made while the next entry is written.
  sequencer_.give_answers();
}

/// Nothing can be decided any more, and nobody knows what became of the last entry.
void Ledger::fail() {
  if (!failed_.exchange(true, std::memory_order_acq_rel)) {
    sequencer_.on_failed();
    if (failure_observer_) failure_observer_();
  }
  for (; chunk_next_ < chunk_.size(); ++chunk_next_) {
    give_up(*chunk_[chunk_next_], AnswerKind::kUnknown);
  }
  chunk_.clear();
  chunk_next_ = 0;
  answer_all(room_.clear(), AnswerKind::kUnknown);
  const std::lock_guard lock(mutex_);
  // Handed over while the log failed; its thread has ended.
  at_log_ = nullptr;
  unsent_entry_ = false;
}

void Ledger::decide() {
  if (chunk_next_ == chunk_.size() && !room_.has_ready()) return;
  const Instant now = recorded_clock_.begin();
  for (std::size_t i = 0; i < limits_.chunk_commands && sequencer_.wants_more(); ++i) {
    // Those who have waited are the older ones.
    if (auto prepared = room_.next()) {
      offer(*prepared, now);
      continue;
    }
    if (chunk_next_ == chunk_.size()) break;
    // Its memory goes with its count, also where the rest of the chunk has to wait.
    const Queued prepared = std::move(chunk_[chunk_next_++]);
    passed_arrival_ = prepared->arrival;
    if (!room_.empty()) {
      const std::string stream = stream_key(prepared->command.stream());
      if (room_.has(stream)) {
        room_.join(stream, std::move(*prepared));
        continue;
      }
    }
    offer(*prepared, now);
  }
  recorded_clock_.end(sequencer_.next_position());
  if (chunk_next_ == chunk_.size()) {
    chunk_.clear();
    chunk_next_ = 0;
  }
}

void Ledger::offer(PreparedCommand& prepared, Instant now) {
  if (is_put_off(prepared)) {
    give_up(prepared, AnswerKind::kOverloaded);
  } else if (sequencer_.offer(prepared, now)) {
    uncount(prepared);
  } else if (prepared.looked_again < limits_.look_again_max) {
    const std::string stream = stream_key(prepared.command.stream());
    room_.park(stream, std::move(prepared));
  } else {
    put_off(std::move(prepared));
  }
}

void Ledger::put_off(PreparedCommand prepared) {
  const std::string stream = stream_key(prepared.command.stream());
  give_up(prepared, AnswerKind::kOverloaded);
  // Only now: who heard the answer holds back what would follow, and the rest has arrived.
  const std::lock_guard lock(mutex_);
  put_off_[stream] = arrivals_;
}

bool Ledger::is_put_off(const PreparedCommand& prepared) const {
  if (put_off_.empty()) return false;
  const auto found = put_off_.find(stream_key(prepared.command.stream()));
  return found != put_off_.end() && prepared.arrival <= found->second;
}

/// Where all that had arrived are answered.
void Ledger::forget_put_off() {
  std::erase_if(put_off_, [this](const auto& item) {
    return item.second <= passed_arrival_ && !room_.has(item.first);
  });
}

void Ledger::serve_waiting_room(const Work& work) {
  if (room_.empty()) return;
  auto released = room_.release(work.indexed);
  parties_away_ += released.size();
  if (!released.empty()) {
    const std::lock_guard lock(mutex_);
    std::move(released.begin(), released.end(), std::back_inserter(to_look_up_));
    look_ups_wake_.notify_one();
  }
  if (!room_.waits_for_index()) return;
  if (work.index_stopped) {
    for (auto& prepared : room_.clear_waiting_for_index()) put_off(std::move(prepared));
  } else if (index_wanted_) {
    index_wanted_();
  }
}

void Ledger::hand_over() {
  std::unique_lock lock(mutex_);
  const bool hands = at_log_ == nullptr && sequencer_.has_entry();
  if (hands) {
    // Sealing hashes the entry, and nobody else gives the log anything meanwhile.
    lock.unlock();
    auto entry = sequencer_.take_entry();
    lock.lock();
    at_log_ = std::move(entry);
  }
  unsent_entry_ = sequencer_.has_entry();
  lock.unlock();
  // Whoever is woken wants the lock.
  if (hands) log_wakes_.notify_one();
}

void Ledger::answer_all(std::vector<PreparedCommand> commands, AnswerKind kind) {
  for (const PreparedCommand& prepared : commands) give_up(prepared, kind);
}

void Ledger::uncount(const PreparedCommand& prepared) {
  held_commands_.fetch_sub(1, std::memory_order_relaxed);
  held_bytes_.fetch_sub(prepared.bytes, std::memory_order_relaxed);
}

// --- The thread that looks again
// -----------------------------------------------------------------------

void Ledger::run_look_ups() {
  ::pthread_setname_np(::pthread_self(), "look-ups");
  while (true) {
    WaitingRoom::Party party;
    {
      std::unique_lock lock(mutex_);
      look_ups_wake_.wait(lock, [&] { return !to_look_up_.empty() || look_ups_stopping_; });
      if (to_look_up_.empty()) return;
      party = std::move(to_look_up_.front());
      to_look_up_.pop_front();
    }
    look_again(party);
    const std::lock_guard lock(mutex_);
    looked_up_.push_back(std::move(party));
    sequencer_wakes_.notify_one();
  }
}

void Ledger::look_again(WaitingRoom::Party& party) {
  const PreparedCommand& sent_back = party.commands.front();
  const std::uint64_t wanted = sent_back.look_again_at;
  for (auto& prepared : party.commands) {
    // The first one brings the states that all need; it is the one that was sent back.
    const bool is_first = &prepared == &sent_back;
    if (!is_first && prepared.lookups.as_of >= wanted) continue;
    if (is_first) {
      ++prepared.looked_again;
      looked_again_.fetch_add(1, std::memory_order_relaxed);
    }
    auto lookups = index_.look_up(
        prepared.command,
        is_first ? prepared.look_again_for : WantedStates{.tenant = false, .account = false});
    if (!lookups.ok()) {
      if (look_up_observer_) look_up_observer_(lookups.status());
      // One behind the first stays as it was: it is sent back in its turn, as the first one then.
      party.failed = is_first;
      return;
    }
    prepared.lookups = std::move(*lookups);
    const std::size_t before =
        std::exchange(prepared.bytes, memory_of(prepared.command) + memory_of(prepared.lookups));
    held_bytes_.fetch_add(prepared.bytes - before, std::memory_order_relaxed);
  }
}

// --- The log's thread
// ----------------------------------------------------------------------------------

void Ledger::run_log() {
  ::pthread_setname_np(::pthread_self(), "log");
  while (true) {
    std::shared_ptr<const Entry> entry;
    {
      std::unique_lock lock(mutex_);
      log_wakes_.wait(lock, [&] { return at_log_ != nullptr || log_stopping_; });
      if (at_log_ == nullptr) return;
      entry = at_log_;
    }
    const bool is_committed = log_.append(*entry) == AppendOutcome::kCommitted;
    if (is_committed) {
      committed_.store(entry->end_position(), std::memory_order_release);
      if (observer_) observer_(*entry);
    }
    {
      const std::lock_guard lock(mutex_);
      at_log_ = nullptr;
      if (is_committed) {
        log_done_ = entry->end_position();
      } else {
        log_failed_ = true;
      }
    }
    sequencer_wakes_.notify_one();
    if (!is_committed) return;
  }
}

}  // namespace daybook::eventstore
