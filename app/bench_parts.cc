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

void submit(Node& node, eventstore::Command command, const std::shared_ptr<Batch>& batch) {
  node.submit(std::move(command),
              [batch](const eventstore::Answer& answer) { batch->take(answer); });
}

}  // namespace

std::uint64_t median_of(std::vector<std::uint64_t> values) {
  CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::uint64_t rate_of(std::uint64_t events, std::uint64_t microseconds) {
  return microseconds == 0 ? 0 : events * 1'000'000 / microseconds;
}

Status open_bench_accounts(Node& node, const BenchLoad& load) {
  const std::size_t at_once = 1'000;
  for (std::size_t begin = 0; begin < load.accounts; begin += at_once) {
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
    if (batch->recorded != end - begin) return io_error("an account could not be opened");
  }
  return node.catch_up();
}

Result<std::uint64_t> run_charges(Node& node, const BenchLoad& load, int run,
                                  const StopSignal& stop) {
  const domain::Money amount = {{int128{4'200'000'000}}, dollars()};
  const std::string prefix = "r" + std::to_string(run) + "-";
  std::deque<std::shared_ptr<Batch>> in_flight;
  std::uint64_t next = 0;
  std::uint64_t recorded = 0;
  const auto begin = SteadyClock::now();
  const std::uint64_t limit = load.milliseconds * 1'000;
  const auto settle_oldest = [&]() -> Status {
    const std::shared_ptr<Batch> oldest = in_flight.front();
    in_flight.pop_front();
    oldest->countdown.wait();
    recorded += oldest->recorded;
    if (oldest->failed > 0) return io_error("a charge was not recorded");
    // Read models are too far behind: as a client told to come back later, wait; the time counts.
    if (oldest->busy > 0) std::this_thread::sleep_for(kBusyPause);  // bounded
    return Status();
  };
  while (microseconds_since(begin) < limit && !stop.stopping()) {
    const auto batch = std::make_shared<Batch>(load.batch);
    for (std::size_t i = 0; i < load.batch; ++i, ++next) {
      eventstore::Command command = command_for(next % load.accounts);
      command.body = domain::AccountCommand(domain::PostCharge{
          amount, domain::Enforcement::kRecord, "Object storage", std::nullopt, {}});
      command.idempotency_key = prefix + std::to_string(next);
      submit(node, std::move(command), batch);
    }
    in_flight.push_back(batch);
    if (in_flight.size() < load.batches) continue;
    const Status status = settle_oldest();
    if (!status.ok()) return status;
  }
  while (!in_flight.empty()) {
    const Status status = settle_oldest();
    if (!status.ok()) return status;
  }
  if (stop.stopping()) return io_error("stopped");
  return rate_of(recorded, microseconds_since(begin));
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

Result<std::uint64_t> run_bare_log(const std::string& dir, const BenchBodies& bodies,
                                   std::uint64_t milliseconds) {
  eventstore::RocksLog::Options options;
  options.create_if_missing = true;
  options.ledger_id = "bench";
  auto log = eventstore::RocksLog::open(dir, options);
  if (!log.ok()) return log.status();
  std::uint64_t events = 0;
  const auto begin = SteadyClock::now();
  for (std::size_t i = 0; microseconds_since(begin) < milliseconds * 1'000; ++i) {
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
