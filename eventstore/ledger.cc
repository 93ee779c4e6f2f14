#include "eventstore/ledger.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "domain/base/check.h"
#include "eventstore/stream_key.h"

namespace daybook::eventstore {
namespace {

Answer overloaded() { return {.kind = AnswerKind::kOverloaded}; }

}  // namespace

Ledger::Ledger(EventLog& log, const LogIndex& index, const Clock& clock, LedgerLimits limits)
    : log_(log),
      index_(index),
      recorded_clock_(clock, log.head().next_position),
      limits_(limits),
      sequencer_(log.head(), 0, limits.sequencer),
      log_done_(log.head().next_position),
      seen_done_(log_done_),
      committed_(log_done_) {
  CHECK(index.applied() == log_done_);
  sequencer_thread_ = std::thread([this] { run_sequencer(); });
  log_thread_ = std::thread([this] { run_log(); });
}

Ledger::~Ledger() { stop(); }

void Ledger::submit(Command command, Completion complete) {
  if (failed()) {
    complete(Answer{});
    return;
  }
  const std::uint64_t lag = committed() - std::min(committed(), index_.applied());
  if (lag > limits_.index_lag_events_max) {
    complete(overloaded());
    return;
  }
  PreparedCommand prepared{std::move(command), {}, std::move(complete)};
  auto lookups = index_.look_up(prepared.command);
  if (!lookups.ok()) {
    if (look_up_observer_) look_up_observer_(lookups.status());
    // Nothing was queued: not begun, and the store that could not be read may be read later.
    prepared.complete(overloaded());
    return;
  }
  prepared.lookups = std::move(*lookups);
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && queue_.size() < limits_.queue_commands_max) {
      queue_.push_back(std::move(prepared));
      sequencer_wakes_.notify_one();
      return;
    }
  }
  prepared.complete(overloaded());
}

void Ledger::indexed(std::uint64_t position) {
  std::vector<PreparedCommand> parked;
  {
    const std::lock_guard lock(mutex_);
    indexed_ = std::max(indexed_, position);
    if (!parked_.empty() && indexed_ >= parked_until_) parked.swap(parked_);
    sequencer_wakes_.notify_one();
  }
  if (!parked.empty()) look_again(std::move(parked));
}

/// Runs on the projector's thread, or where the index is there already on the sequencer's: rare.
void Ledger::look_again(std::vector<PreparedCommand> parked) {
  for (auto& prepared : parked) {
    ++prepared.looked_again;
    auto lookups = index_.look_up(prepared.command);
    if (lookups.ok()) {
      prepared.lookups = std::move(*lookups);
    } else if (look_up_observer_) {
      look_up_observer_(lookups.status());
    }
  }
  const std::lock_guard lock(mutex_);
  // In front of what came later, so that the order of each account's commands holds.
  queue_.insert(queue_.begin(), std::make_move_iterator(parked.begin()),
                std::make_move_iterator(parked.end()));
  sequencer_wakes_.notify_one();
}

void Ledger::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    sequencer_wakes_.notify_one();
  }
  if (sequencer_thread_.joinable()) sequencer_thread_.join();
  {
    const std::lock_guard lock(mutex_);
    log_stopping_ = true;
    log_wakes_.notify_one();
  }
  if (log_thread_.joinable()) log_thread_.join();
}

Ledger::Load Ledger::load() const {
  const std::lock_guard lock(mutex_);
  Load load = load_;
  load.queued = queue_.size();
  return load;
}

void Ledger::run_sequencer() {
  while (true) {
    Work work = wait_for_work();
    if (work.finished) return;
    do_work(std::move(work));
  }
}

Ledger::Work Ledger::wait_for_work() {
  std::unique_lock lock(mutex_);
  load_.resident_streams = sequencer_.resident_streams();
  load_.window_bytes = sequencer_.window_bytes();
  const auto can_decide = [&] { return !queue_.empty() && sequencer_.wants_more(); };
  const auto is_drained = [&] {
    return stopping_ && queue_.empty() && at_log_ == nullptr && !unsent_entry_;
  };
  sequencer_wakes_.wait(lock, [&] {
    return can_decide() || log_done_ != seen_done_ || indexed_ != seen_indexed_ || log_failed_ ||
           (unsent_entry_ && at_log_ == nullptr) || is_drained();
  });
  Work work;
  work.committed = seen_done_ = log_done_;
  work.indexed = seen_indexed_ = indexed_;
  work.log_failed = log_failed_;
  work.log_is_free = at_log_ == nullptr;
  if (can_decide() || log_failed_) {
    const std::size_t count = std::min(queue_.size(), limits_.chunk_commands);
    std::move(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count),
              std::back_inserter(work.commands));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  if (is_drained() || (log_failed_ && stopping_ && queue_.empty() && work.commands.empty())) {
    // What is still parked waits for an index that nobody will advance.
    for (auto& prepared : parked_) work.commands.push_back(std::move(prepared));
    parked_.clear();
    work.finished = work.commands.empty();
    if (!work.finished) {
      lock.unlock();
      for (auto& prepared : work.commands) prepared.complete(overloaded());
      work.commands.clear();
      work.finished = true;
    }
  }
  return work;
}

void Ledger::do_work(Work work) {
  if (work.log_failed) {
    if (!failed_.exchange(true, std::memory_order_acq_rel)) {
      sequencer_.on_failed();
      if (failure_observer_) failure_observer_();
    }
    for (auto& prepared : work.commands) prepared.complete(Answer{});
    const std::lock_guard lock(mutex_);
    for (auto& prepared : parked_) prepared.complete(Answer{});
    parked_.clear();
    unsent_entry_ = false;
    return;
  }
  sequencer_.on_committed(work.committed);
  sequencer_.on_indexed(work.indexed);
  if (!work.commands.empty()) decide(std::move(work.commands));
  hand_over();
}

void Ledger::decide(std::vector<PreparedCommand> commands) {
  const Instant now = recorded_clock_.begin();
  std::size_t next = 0;
  for (; next < commands.size() && sequencer_.wants_more(); ++next) {
    PreparedCommand& prepared = commands[next];
    const bool follows_parked =
        !parked_streams_.empty() && parked_streams_.contains(stream_key(prepared.command.stream()));
    const bool must_wait = follows_parked && prepared.looked_again == 0;
    if (must_wait || !sequencer_.offer(prepared, now)) park(std::move(prepared));
  }
  recorded_clock_.end(sequencer_.next_position());
  std::vector<PreparedCommand> ready;
  {
    const std::lock_guard lock(mutex_);
    queue_.insert(queue_.begin(),
                  std::make_move_iterator(commands.begin() + static_cast<std::ptrdiff_t>(next)),
                  std::make_move_iterator(commands.end()));
    // The index may have been there already, and then nobody will call indexed().
    if (!parked_.empty() && indexed_ >= parked_until_) ready.swap(parked_);
    if (parked_.empty()) parked_streams_.clear();
  }
  if (!ready.empty()) look_again(std::move(ready));
}

/// Lets a command wait until the index has everything decided so far, and with it all later
/// commands of its stream.
void Ledger::park(PreparedCommand prepared) {
  if (prepared.looked_again >= limits_.look_again_max) {
    prepared.complete(overloaded());
    return;
  }
  parked_streams_.insert(stream_key(prepared.command.stream()));
  const std::lock_guard lock(mutex_);
  parked_.push_back(std::move(prepared));
  parked_until_ = sequencer_.next_position();
}

void Ledger::hand_over() {
  const std::lock_guard lock(mutex_);
  if (at_log_ == nullptr && sequencer_.has_entry()) {
    at_log_ = sequencer_.take_entry();
    log_wakes_.notify_one();
  }
  unsent_entry_ = sequencer_.has_entry();
}

void Ledger::run_log() {
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
    const std::lock_guard lock(mutex_);
    at_log_ = nullptr;
    if (is_committed) {
      log_done_ = entry->end_position();
    } else {
      log_failed_ = true;
    }
    sequencer_wakes_.notify_one();
    if (log_failed_) return;
  }
}

}  // namespace daybook::eventstore
