#include "projections/projector.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <pthread.h>
#include <sys/resource.h>

#include "domain/base/check.h"
#include "eventstore/side_by_side.h"

namespace daybook::projections {
namespace {

using eventstore::Entry;
using eventstore::KvBatch;

constexpr std::size_t kNoFollower = SIZE_MAX;

/// Where the log goes on after an entry; the chain is computed once per batch.
Checkpoint after(const Entry& entry) {
  return {entry.end_position(), entry.entry_no + 1, eventstore::chain_of(entry), 0};
}

Result<bool> has_rows(const eventstore::KvStore& store, eventstore::Table table) {
  const auto reader = store.snapshot();
  const auto cursor = reader->scan(table, "", "");
  if (cursor->valid()) return true;
  if (Status status = cursor->status(); !status.ok()) return status;
  return false;
}

/// Whether a projection kept what it promised of its rows (projection.h).
bool is_of(const KvBatch& batch, eventstore::Table table) {
  return std::all_of(batch.operations().begin(), batch.operations().end(), [&](const auto& row) {
    return row.table == table && !row.key.empty() && row.key.front() != '\0';
  });
}

}  // namespace

Projector::Projector(const eventstore::EventLog& log, eventstore::KvStore& store,
                     const Clock& clock, std::vector<std::unique_ptr<Projection>> projections,
                     ProjectorLimits limits)
    : log_(log), store_(store), clock_(clock), limits_(limits), waiters_(limits.waiters_max) {
  CHECK(!projections.empty() && limits.batch_events > 0 && limits.batch_bytes > 0 &&
        limits.threads > 0);
  CHECK(limits.idle_micros >= 1'000);
  for (auto& projection : projections) {
    for (const Follower& other : followers_) {
      CHECK(other.projection->table() != projection->table());
    }
    published_.push_back({std::string(projection->name()), 0, false, {}});
    followers_.push_back({std::move(projection), {}, {}, false});
  }
}

Projector::~Projector() { abandon(); }

// --- Opening
// --------------------------------------------------------------------------------------

Status Projector::open() {
  std::uint64_t from = UINT64_MAX;
  next_entry_no_ = UINT64_MAX;
  for (std::size_t i = 0; i < followers_.size(); ++i) {
    Follower& follower = followers_[i];
    if (Status status = open(follower, i); !status.ok()) return fail(i, status);
    from = std::min(from, follower.done.next_position);
    next_entry_no_ = std::min(next_entry_no_, follower.done.entry_no);
  }
  // From the entry before, as in agrees_with: entries without events must not be passed by.
  auto cursor = log_.read(from == 0 ? 0 : from - 1);
  if (!cursor.ok()) return fail(kNoFollower, cursor.status());
  cursor_ = std::move(*cursor);
  publish();
  return {};
}

Status Projector::open(Follower& follower, std::size_t index) {
  const eventstore::Table table = follower.projection->table();
  const std::uint32_t code_version = follower.projection->code_version();
  follower.projection->reset();
  follower.done = {0, 0, {}, code_version};

  auto row = store_.get(table, kCheckpointKey);
  if (!row.ok()) return row.status();
  if (*row) {
    const auto stored = decode_checkpoint(**row);
    if (stored && stored->code_version == code_version) {
      auto agrees = agrees_with(*stored, log_);
      if (!agrees.ok()) return agrees.status();
      if (*agrees) {
        follower.done = *stored;
        return {};
      }
    }
  } else {
    auto rows = has_rows(store_, table);
    if (!rows.ok()) return rows.status();
    if (!*rows) return {};
  }
  if (Status status = store_.clear(table); !status.ok()) return status;
  const std::lock_guard lock(mutex_);
  published_[index].rebuilt = true;
  return {};
}

// --- Following the log
// ----------------------------------------------------------------------------

Status Projector::run_once() {
  CHECK(!thread_.joinable());
  const Status status = catch_up();
  waiters_.expire(clock_.steady());
  return status;
}

Status Projector::catch_up() {
  if (!failure_.ok()) return failure_;
  if (cursor_ == nullptr) {
    if (Status status = open(); !status.ok()) return status;
  }
  for (;;) {
    auto read = run_batch();
    if (!read.ok()) return read.status();
    if (Status status = flush_if_due(); !status.ok()) return status;
    // On its own thread it gathers before it reads on; a batch of few events costs as much as one
    // of many.
    const bool is_enough = gathers_ && *read != BatchRead::kFull;
    if (*read == BatchRead::kNothing || is_enough || is_stopping()) return {};
    waiters_.expire(clock_.steady());
  }
}

Result<Projector::BatchRead> Projector::run_batch() {
  std::uint64_t events = 0;
  std::size_t bytes = 0;
  std::optional<Entry> last;
  bool is_full = false;
  while (!is_full) {
    auto share = read_share();
    if (!share.ok()) return fail(kNoFollower, share.status());
    if (share->empty()) break;
    if (Status status = take(*share); !status.ok()) return status;
    for (const auto& decoded : *share) {
      events += decoded.entry.count;
      bytes += decoded.entry.body.size();
    }
    last = std::move(share->back().entry);
    next_entry_no_ = last->entry_no + 1;
    is_full = events >= limits_.batch_events || bytes >= limits_.batch_bytes ||
              batch_memory() >= limits_.batch_memory_bytes;
  }
  if (!last) return BatchRead::kNothing;
  if (Status status = write_batch(after(*last), events); !status.ok()) return status;
  publish();
  return is_full ? BatchRead::kFull : BatchRead::kPart;
}

/// The next entries that some projection has not got: one, or enough for several threads.
Result<Projector::Share> Projector::read_share() {
  const std::uint64_t wanted = limits_.threads > 1 ? limits_.share_events : 1;
  Share share;
  for (std::uint64_t events = 0; share.empty() || events < wanted;) {
    auto entry = cursor_->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) break;
    if ((*entry)->entry_no < next_entry_no_) continue;
    events += (*entry)->count;
    auto decoded = eventstore::decode_events(std::move(**entry));
    if (!decoded.ok()) return decoded.status();
    stream_numbers_.number(*decoded);
    share.push_back(std::move(*decoded));
  }
  return share;
}

Status Projector::flush_if_due() {
  if (!unflushed_since_) return {};
  const std::int64_t waited = clock_.steady().micros - unflushed_since_->micros;
  const bool is_due = unflushed_events_ >= limits_.flush_events || waited >= limits_.flush_micros;
  return is_due ? begin_flush() : Status();
}

/// Read models that stood still meanwhile would be behind by as long as a disk takes.
Status Projector::begin_flush() {
  if (Status status = store_.begin_flush(); !status.ok()) return fail(kNoFollower, status);
  count_flushed();
  flush_begun_ = true;
  return {};
}

Status Projector::flush() {
  if (Status status = store_.flush(); !status.ok()) return fail(kNoFollower, status);
  count_flushed();
  flush_begun_ = false;
  return {};
}

void Projector::count_flushed() {
  unflushed_events_ = 0;
  unflushed_since_.reset();
}

/// Gives entries to every projection that has not got them.
Status Projector::take(const Share& share) {
  auto failed = eventstore::side_by_side(followers_.size(), limits_.threads, [&](std::size_t i) {
    for (const auto& decoded : share) {
      if (Status status = take(followers_[i], decoded); !status.ok()) return status;
    }
    return Status();
  });
  return failed.status.ok() ? Status() : fail(failed.job, std::move(failed.status));
}

Status Projector::take(Follower& follower, const eventstore::DecodedEntry& decoded) {
  const Entry& entry = decoded.entry;
  if (entry.entry_no < follower.done.entry_no) return {};
  // The cursor promises the same; a gap would be a wrong balance, so it is looked at again.
  if (!follower.behind && (entry.entry_no != follower.done.entry_no ||
                           entry.base_position != follower.done.next_position)) {
    return corrupt("entry " + std::to_string(entry.entry_no) + " at position " +
                   std::to_string(entry.base_position) + " does not follow position " +
                   std::to_string(follower.done.next_position));
  }
  follower.behind = true;
  return follower.projection->apply(decoded, follower.batch);
}

/// About what the batch under way keeps in memory.
std::size_t Projector::batch_memory() const {
  std::size_t bytes = 0;
  for (const Follower& follower : followers_) {
    bytes += follower.batch.bytes() + follower.projection->changed_bytes();
  }
  return bytes;
}

/// Makes the rows that a projection has for the batch ready to be written.
Status Projector::close_batch(Follower& follower, const Checkpoint& end) {
  if (!follower.behind) return {};
  if (Status status = follower.projection->finish(follower.batch); !status.ok()) return status;
  follower.done = end;
  follower.done.code_version = follower.projection->code_version();
  CHECK(is_of(follower.batch, follower.projection->table()));
  // Neighbours in the table are then neighbours in the write, which costs an ordered store a
  // fraction, and is what ingest() wants.
  follower.batch.sort();
  return {};
}

/// All tables in one write: a reader's snapshot has all of them at one position.
Status Projector::write_batch(const Checkpoint& end, std::uint64_t events) {
  auto failed = eventstore::side_by_side(followers_.size(), limits_.threads, [&](std::size_t i) {
    return close_batch(followers_[i], end);
  });
  if (!failed.status.ok()) return fail(failed.job, std::move(failed.status));
  KvBatch all;
  for (Follower& follower : followers_) {
    if (!std::exchange(follower.behind, false)) continue;
    // The checkpoint is before all rows.
    all.put(follower.projection->table(), kCheckpointKey, encode_checkpoint(follower.done));
    all.append(std::move(follower.batch));
  }
  const bool is_large = events >= limits_.ingest_events;
  if (Status status = is_large ? store_.ingest(all) : store_.write(all); !status.ok()) {
    return fail(kNoFollower, status);
  }
  if (is_large) {
    count_flushed();
    flush_begun_ = false;
  } else {
    unflushed_events_ += events;
    if (!unflushed_since_) unflushed_since_ = clock_.steady();
  }
  return {};
}

Status Projector::fail(std::size_t index, Status status) {
  failure_ = status;
  for (Follower& follower : followers_) {
    follower.projection->reset();
    follower.batch.clear();
    follower.behind = false;
  }
  {
    const std::lock_guard lock(mutex_);
    published_failure_ = status;
    for (std::size_t i = 0; i < published_.size(); ++i) {
      if (index == kNoFollower || index == i) published_[i].error = status;
    }
  }
  waiters_.close();
  if (failure_observer_) failure_observer_();
  return status;
}

void Projector::publish() {
  std::uint64_t least = UINT64_MAX;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < followers_.size(); ++i) {
      published_[i].position = followers_[i].done.next_position;
      least = std::min(least, published_[i].position);
    }
  }
  applied_.store(least, std::memory_order_release);
  if (observer_) observer_(least);
  waiters_.reached(least);
}

ProjectorStatus Projector::status() const {
  ProjectorStatus status;
  const std::uint64_t head = log_.head().next_position;
  {
    const std::lock_guard lock(mutex_);
    status.error = published_failure_;
    for (const Published& published : published_) {
      const std::uint64_t lag = head > published.position ? head - published.position : 0;
      status.projections.push_back(
          {published.name, published.position, lag, published.rebuilt, published.error});
    }
  }
  status.applied = applied();
  status.waiters = waiters_.size();
  return status;
}

bool Projector::when_applied(std::uint64_t position, std::int64_t wait_micros,
                             PositionWaiters::Callback callback) {
  const SteadyTime deadline = later_by(clock_.steady(), wait_micros);
  if (!waiters_.add(position, deadline, std::move(callback))) return false;
  // There is nothing to hurry for yet where the position lies ahead; whoever asks for one must not
  // cost all others the gathering.
  if (position <= log_.head().next_position) {
    hurry();
    return true;
  }
  {
    const std::lock_guard lock(mutex_);
    awaited_later_ = true;
  }
  wakes_.notify_one();
  return true;
}

// --- The thread
// -----------------------------------------------------------------------------------

void Projector::start() {
  CHECK(!thread_.joinable());
  gathers_ = true;
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "projector");
    // For the calling thread only, on Linux; without the right to it nothing changes.
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, 5));
    run();
  });
}

void Projector::run() {
  while (!is_stopping()) {
    const SteadyTime began = clock_.steady();
    // The error, if any, is published; a projector that failed sleeps until it is stopped.
    static_cast<void>(catch_up());
    waiters_.expire(clock_.steady());
    wait_for_work(began);
  }
  {
    const std::lock_guard lock(mutex_);
    if (abandoned_) return;
  }
  // One batch more: what was gathered meanwhile need not be read again at the next start.
  static_cast<void>(catch_up());
}

/// `began`: when the thread last began to catch up.
void Projector::wait_for_work(SteadyTime began) {
  std::unique_lock lock(mutex_);
  do {
    // Who waits for what is not committed yet moves the next deadline, and nothing else.
    awaited_later_ = false;
    lock.unlock();
    std::int64_t micros = limits_.idle_micros;
    if (const auto deadline = waiters_.next_deadline()) {
      // At least a millisecond: a clock that stands still must not make this loop spin.
      micros = std::clamp<std::int64_t>(deadline->micros - clock_.steady().micros, 1'000, micros);
    }
    lock.lock();
    wakes_.wait_for(lock, std::chrono::microseconds(micros),
                    [&] { return notified_ || hurried_ || awaited_later_ || stopping_; });
  } while (awaited_later_ && !notified_ && !hurried_ && !stopping_);
  if (notified_) {
    // Who caught up, or rested, for longer than this has gathered enough meanwhile.
    const std::int64_t passed = clock_.steady().micros - began.micros;
    wakes_.wait_for(lock, std::chrono::microseconds(limits_.gather_micros - passed),
                    [&] { return hurried_ || stopping_ || is_awaited(); });
  }
  notified_ = false;
  hurried_ = false;
}

/// Whether somebody waits for something that is committed.
bool Projector::is_awaited() const {
  const auto position = waiters_.next_position();
  return position && *position <= log_.head().next_position;
}

bool Projector::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Projector::notify() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(notified_, true)) return;
  }
  wakes_.notify_one();
}

void Projector::hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurried_ = true;
  }
  wakes_.notify_one();
}

void Projector::end_thread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakes_.notify_all();
  if (thread_.joinable()) thread_.join();
  waiters_.close();
}

void Projector::abandon() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  end_thread();
}

Status Projector::stop() {
  end_thread();
  if (!failure_.ok()) return failure_;
  return unflushed_since_ || flush_begun_ ? flush() : Status();
}

}  // namespace daybook::projections
