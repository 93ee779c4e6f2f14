#include "app/bench_parts.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include "app/bench_load.h"
#include "app/countdown.h"
#include "app/node.h"
#include "app/stop_signal.h"
#include "domain/account.h"
#include "domain/account_events.h"
#include "domain/base/check.h"
#include "domain/base/result.h"
#include "domain/currency.h"
#include "domain/money.h"
#include "eventstore/command.h"
#include "eventstore/entry.h"
#include "eventstore/event_log.h"
#include "eventstore/rocks_log.h"

namespace daybook::app {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBusyPause{50};

std::uint64_t microseconds_since(SteadyClock::time_point begin) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begin).count());
}

/// A batch in flight and what became of it; shared with its completions.
struct Batch {
  explicit Batch(std::size_t size) : countdown(size) {}
  Countdown countdown;
  std::atomic<std::size_t> recorded{0};
  std::atomic<std::size_t> replayed{0};
  std::atomic<std::size_t> busy{0};
  std::atomic<std::size_t> failed{0};

  void take(const eventstore::Answer& answer) {
    switch (answer.kind) {
      case eventstore::AnswerKind::kRecorded:
        ++recorded;
        break;
      case eventstore::AnswerKind::kOverloaded:
        ++busy;
        break;
      case eventstore::AnswerKind::kReplayed:
        ++replayed;
        break;
      case eventstore::AnswerKind::kUnchanged:
      case eventstore::AnswerKind::kRejected:
      case eventstore::AnswerKind::kKeyReused:
      case eventstore::AnswerKind::kVersionMismatch:
      case eventstore::AnswerKind::kRefusalsLimited:
      case eventstore::AnswerKind::kUnknown:
        ++failed;
        break;
    }
    countdown.arrive();
  }
};

std::string account_name(std::size_t index) { return "bench-" + std::to_string(index); }

eventstore::Command command_for(std::size_t account) {
  eventstore::Command command;
  command.tenant = TenantId(kFirstTenant);
  command.account = AccountId(account_name(account));
  command.actor = "system";
  return command;
}

domain::Currency dollars() {
  const auto currency = domain::Currency::parse("USD");
  CHECK(currency.has_value());
  return *currency;
}

std::uint64_t cpu_nanoseconds() {
  rusage usage{};
  CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  const auto of = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_usec) * 1'000;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

void submit(Node& node, eventstore::Command command, const std::shared_ptr<Batch>& batch) {
  node.submit(std::move(command),
              [batch](const eventstore::Answer& answer) { batch->take(answer); });
}

/// Charges in batches, some of them in flight.
class ChargeLoop {
 public:
  ChargeLoop(Node& node, const BenchLoad& load)
      : node_(node),
        load_(load),
        position_(node.committed()),
        accounts_(load.distribution, load.accounts) {}

  /// Sends one batch and waits until there is room for the next.
  Status charge(std::size_t size) {
    const auto batch = std::make_shared<Batch>(size);
    for (std::size_t i = 0; i < size; ++i) {
      eventstore::Command command = command_for(accounts_.next());
      command.body = domain::AccountCommand(domain::PostCharge{
          amount_, domain::Enforcement::kRecord, "Object storage", std::nullopt, {}});
      command.idempotency_key = bench_key(load_.keys, position_, sent_++);
      submit(node_, std::move(command), batch);
    }
    in_flight_.push_back(batch);
    return in_flight_.size() < load_.batches ? Status() : settle_oldest();
  }

  Status settle_all() {
    Status status;
    while (!in_flight_.empty() && status.ok()) status = settle_oldest();
    return status;
  }

  std::uint64_t recorded() const { return recorded_; }

 private:
  Status settle_oldest() {
    const std::shared_ptr<Batch> oldest = in_flight_.front();
    in_flight_.pop_front();
    oldest->countdown.wait();
    recorded_ += oldest->recorded;
    if (oldest->failed + oldest->replayed > 0) return io_error("a charge was not recorded");
    // Read models are too far behind: as a client told to come back later, wait; the time counts.
    if (oldest->busy > 0) std::this_thread::sleep_for(kBusyPause);  // bounded
    return Status();
  }

  Node& node_;
  BenchLoad load_;
  domain::Money amount_ = {{int128{4'200'000'000}}, dollars()};
  std::uint64_t position_;  ///< Of the ledger's end when the loop began.
  std::uint64_t sent_ = 0;
  std::uint64_t recorded_ = 0;
  AccountPicker accounts_;
  std::deque<std::shared_ptr<Batch>> in_flight_;
};

}  // namespace

std::uint64_t median_of(std::vector<std::uint64_t> values) {
  CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::uint64_t rate_of(std::uint64_t events, std::uint64_t microseconds) {
  return microseconds == 0 ? 0 : events * 1'000'000 / microseconds;
}

Status open_bench_accounts(Node& node, const BenchLoad& load, const StopSignal& stop) {
  const std::size_t at_once = 1'000;
  for (std::size_t begin = 0; begin < load.accounts; begin += at_once) {
    if (stop.stopping()) return io_error("stopped");
    const std::size_t end = std::min(load.accounts, begin + at_once);
    const auto batch = std::make_shared<Batch>(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
      eventstore::Command command = command_for(i);
      command.body =
          domain::AccountCommand(domain::OpenAccount{dollars(), domain::AccountMode::kPrepaid, {}});
      command.idempotency_key = "open";
      submit(node, std::move(command), batch);
    }
    batch->countdown.wait();
    if (batch->recorded + batch->replayed != end - begin)
      return io_error("an account could not be opened");
  }
  return node.catch_up();
}

Result<BenchRun> run_charges(Node& node, const BenchLoad& load, const StopSignal& stop) {
  ChargeLoop loop(node, load);
  const auto begin = SteadyClock::now();
  const std::uint64_t cpu = cpu_nanoseconds();
  Status status;
  while (status.ok() && microseconds_since(begin) < load.milliseconds * 1'000 && !stop.stopping()) {
    status = loop.charge(load.batch);
  }
  if (status.ok()) status = loop.settle_all();
  if (status.ok() && stop.stopping()) status = io_error("stopped");
  if (!status.ok()) return status;
  return BenchRun{rate_of(loop.recorded(), microseconds_since(begin)),
                  (cpu_nanoseconds() - cpu) / std::max<std::uint64_t>(loop.recorded(), 1)};
}

Status preload(Node& node, const BenchLoad& load, std::uint64_t events, const StopSignal& stop) {
  constexpr std::uint64_t kBatch = 8'190;
  while (node.committed() < events) {
    // A charge that is refused for now leaves a gap, which the next round fills.
    ChargeLoop loop(node, load);
    const std::uint64_t missing = events - node.committed();
    Status status;
    for (std::uint64_t done = 0; done < missing && status.ok() && !stop.stopping();) {
      const std::uint64_t batch = std::min(kBatch, missing - done);
      status = loop.charge(batch);
      done += batch;
    }
    if (status.ok()) status = loop.settle_all();
    if (status.ok() && stop.stopping()) status = io_error("stopped");
    if (!status.ok()) return status;
  }
  return node.catch_up();
}

Result<BenchBodies> read_bodies(const std::string& dir, std::size_t batch,
                                std::uint64_t events_max) {
  eventstore::RocksLog::Options options;
  options.read_only = true;
  auto log = eventstore::RocksLog::open(dir, options);
  if (!log.ok()) return log.status();
  const std::uint64_t end = (*log)->head().next_position;
  auto cursor = (*log)->read(end - std::min(end, events_max));
  if (!cursor.ok()) return cursor.status();
  BenchBodies packed;
  BenchBodies::Body body;
  const auto seal = [&] {
    if (body.count > 0) packed.bodies.push_back(std::move(body));
    body = {};
  };
  while (true) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!entry->has_value()) break;
    eventstore::for_each_event(**entry, [&](std::uint64_t, std::string_view bytes) {
      constexpr std::size_t kLengthBytesMax = 10;
      if (body.bytes.size() + bytes.size() + kLengthBytesMax > eventstore::kEntryBodyBytesMax) {
        seal();
      }
      eventstore::append_event_bytes(body.bytes, bytes);
      ++packed.events;
      if (++body.count == batch) seal();
      return true;
    });
  }
  seal();
  if (packed.bodies.empty()) return invalid(dir + " holds no event");
  return packed;
}

Result<std::uint64_t> read_log_rate(const std::string& dir, const StopSignal& stop) {
  eventstore::RocksLog::Options options;
  options.read_only = true;
  auto log = eventstore::RocksLog::open(dir, options);
  if (!log.ok()) return log.status();
  const auto begin = SteadyClock::now();
  auto cursor = (*log)->read(0);
  if (!cursor.ok()) return cursor.status();
  std::uint64_t events = 0;
  while (true) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!entry->has_value()) break;
    if (stop.stopping()) return io_error("stopped");
    events += (*entry)->count;
  }
  if (events != (*log)->head().next_position) return corrupt("the log does not hold its events");
  return rate_of(events, microseconds_since(begin));
}

Result<std::uint64_t> run_bare_log(const std::string& dir, const BenchBodies& bodies,
                                   std::uint64_t milliseconds, const StopSignal& stop) {
  eventstore::RocksLog::Options options;
  options.create_if_missing = true;
  options.ledger_id = "bench";
  auto log = eventstore::RocksLog::open(dir, options);
  if (!log.ok()) return log.status();
  std::uint64_t events = 0;
  const auto begin = SteadyClock::now();
  for (std::size_t i = 0; microseconds_since(begin) < milliseconds * 1'000; ++i) {
    if (stop.stopping()) return io_error("stopped");
    const auto& body = bodies.bodies[i % bodies.bodies.size()];
    const eventstore::LogHead head = (*log)->head();
    eventstore::Entry entry;
    entry.generation = head.generation;
    entry.entry_no = head.entry_count;
    entry.base_position = head.next_position;
    entry.count = body.count;
    entry.first_recorded_at = entry.last_recorded_at = head.last_recorded_at;
    entry.prev_chain = head.chain;
    entry.body = body.bytes;
    if ((*log)->append(entry) != eventstore::AppendOutcome::kCommitted) {
      return (*log)->failure().ok() ? io_error("an append failed") : (*log)->failure();
    }
    events += body.count;
  }
  return rate_of(events, microseconds_since(begin));
}

}  // namespace daybook::app
