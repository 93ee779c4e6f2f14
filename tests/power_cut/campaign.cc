#include "tests/power_cut/campaign.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "domain/base/check.h"
#include "eventstore/event_codec.h"
#include "eventstore/fake_log.h"
#include "eventstore/memory_kv.h"
#include "eventstore/rocks_kv_testing.h"
#include "eventstore/rocks_log_testing.h"
#include "projections/all_projections.h"
#include "projections/projector.h"
#include "projections/tables.h"
#include "tests/projections/history.h"
#include "tests/simulation/rng.h"

namespace daybook::power_cut {
namespace {

using eventstore::AppendOutcome;
using eventstore::Entry;
using eventstore::RocksKv;
using eventstore::RocksLog;

constexpr std::size_t kFailuresShown = 5;
constexpr std::size_t kAppendsMax = 60;
constexpr const char* kLedger = "ledger-1";

Entry entry_of(const eventstore::LogHead& head, const std::vector<domain::RecordedEvent>& events,
               std::size_t count) {
  Entry entry;
  entry.kind = count == 0 ? eventstore::EntryKind::kGeneration : eventstore::EntryKind::kEvents;
  entry.generation = head.generation + (count == 0 ? 1 : 0);
  entry.entry_no = head.entry_count;
  entry.base_position = head.next_position;
  entry.prev_chain = head.chain;
  entry.first_recorded_at = entry.last_recorded_at = head.last_recorded_at;
  entry.count = static_cast<std::uint32_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const domain::RecordedEvent& event = events[head.next_position + i];
    if (i == 0) entry.first_recorded_at = event.recorded_at;
    entry.last_recorded_at = event.recorded_at;
    eventstore::append_event_bytes(entry.body, eventstore::encode_event(event));
  }
  return entry;
}

/// What the log must hold, and the fold of it.
class Truth {
 public:
  void add(const Entry& entry) {
    CHECK(log_.append(entry) == AppendOutcome::kCommitted);
    entries_.push_back(entry);
  }
  const std::vector<Entry>& entries() const { return entries_; }
  projections::Dump fold() {
    CHECK(projector_.run_once().ok());
    return projections::dump(store_);
  }

 private:
  std::vector<Entry> entries_;
  eventstore::FakeLog log_;
  eventstore::MemoryKv store_{projections::kTableCount};
  projections::FixedClock clock_;
  projections::Projector projector_{log_, store_, clock_, projections::all_projections(store_)};
};

/// One ledger from its creation over many cuts.
class Life {
 public:
  Life(const CampaignOptions& options, std::uint64_t number, CampaignResult& result)
      : number_(number),
        result_(result),
        seed_(options.seed * 1'000'003 + number),
        random_(seed_),
        history_(seed_),
        directory_(options.directory + "/history-" + std::to_string(number)),
        root_(directory_ + "/ledger"),
        watermark_(root_ + "/log.watermark"),
        disk_((make_directories(), root_), directory_ + "/kept", seed_, options.syncs) {}

  void run(std::uint64_t cuts) {
    for (std::uint64_t i = 0; i < cuts && !failed_; ++i) {
      if (random_.chance(50)) compare(RocksLog::Verify::kTail);
      if (!failed_) cut_once();
    }
    if (!failed_) compare(RocksLog::Verify::kAll);
    for (const auto& [where, count] : disk_.cuts()) result_.cut_at[where] += count;
    result_.lost_bytes += disk_.lost_bytes();
    result_.lost_names += disk_.lost_names();
    if (!failed_) std::filesystem::remove_all(directory_);
  }

 private:
  void make_directories() {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(root_);
    std::filesystem::create_directory(directory_ + "/kept");
  }

  void fail(std::uint64_t& count, const std::string& what) {
    ++count;
    failed_ = true;
    if (result_.first_failures.size() < kFailuresShown) {
      result_.first_failures.push_back("history " + std::to_string(number_) + ", cut " +
                                       std::to_string(result_.cuts) + ": " + what + " (" +
                                       directory_ + ")");
    }
  }

  /// Null: the power went meanwhile, or it failed.
  std::unique_ptr<RocksLog> open_log(RocksLog::Verify verify) {
    RocksLog::Options options;
    options.create_if_missing = true;
    options.ledger_id = kLedger;
    options.verify = verify;
    disk_.adopt(watermark_);
    auto log = open_rocks_log_for_test(
        root_, options, {disk_.env(), [this](int) { return disk_.sync_in_place(watermark_); }});
    if (!log.ok()) {
      if (!disk_.is_off()) fail(result_.refused, "log: " + log.status().message());
      return nullptr;
    }
    check_log(**log);
    return failed_ ? nullptr : std::move(*log);
  }

  std::unique_ptr<RocksKv> open_store() {
    RocksKv::Options options;
    options.memtable_bytes = std::size_t{2} << 20;
    options.block_cache_bytes = std::size_t{1} << 20;
    auto store =
        open_rocks_kv_for_test(root_ + "/proj", projections::table_specs(), options, disk_.env());
    if (store.ok()) return std::move(*store);
    if (!disk_.is_off()) fail(result_.refused, "read models: " + store.status().message());
    return nullptr;
  }

  /// Everything acknowledged, then at most the one entry without an answer.
  void check_log(const RocksLog& log) {
    std::vector<Entry> found;
    auto cursor = log.read(0);
    Status status = cursor.ok() ? Status() : cursor.status();
    while (status.ok()) {
      auto entry = (*cursor)->next();
      if (!entry.ok()) status = entry.status();
      if (!entry.ok() || !entry->has_value()) break;
      found.push_back(std::move(**entry));
    }
    if (!status.ok()) return fail(result_.broken, status.message());
    const std::vector<Entry>& wanted = truth_.entries();
    if (found.size() < wanted.size() || !std::equal(wanted.begin(), wanted.end(), found.begin())) {
      return fail(result_.lost, std::to_string(wanted.size()) + " entries were acknowledged, " +
                                    std::to_string(found.size()) + " are there");
    }
    if (log.closed() < closed_) return fail(result_.lost, "a time that was closed is open");
    if (found.size() > wanted.size()) {
      if (found.size() > wanted.size() + 1 || !unknown_ || found.back() != *unknown_) {
        return fail(result_.phantom, "an entry that was never appended");
      }
      ++result_.unknown_kept;
      truth_.add(*unknown_);  // It was seen, and must stay.
    } else if (unknown_) {
      ++result_.unknown_gone;
    }
    unknown_.reset();
  }

  projections::ProjectorLimits some_limits() {
    projections::ProjectorLimits limits;
    limits.batch_events = 1 + random_.below(200);
    limits.ingest_events = random_.chance(50) ? 20 : 1'000'000;
    limits.flush_events = 20 + random_.below(300);
    limits.gather_micros = static_cast<std::int64_t>(random_.below(3)) * 500;
    return limits;
  }

  /// With power: the read models catch up and are the fold.
  void compare(RocksLog::Verify verify) {
    const auto log = open_log(verify);
    if (log == nullptr) return;
    const auto store = open_store();
    if (store == nullptr) return;
    projections::Projector projector(*log, *store, clock_, projections::all_projections(*store),
                                     some_limits());
    if (Status status = projector.run_once(); !status.ok()) {
      return fail(result_.differing, "projector: " + status.message());
    }
    for (const auto& projection : projector.status().projections) {
      if (projection.rebuilt) return fail(result_.differing, projection.name + " was begun anew");
    }
    ++result_.folds_compared;
    if (projections::dump(*store) != truth_.fold()) {
      fail(result_.differing, "the read models are not the fold of the log");
    }
  }

  /// From an opening to a cut; sometimes the cut is in the opening.
  void cut_once() {
    static const std::vector<std::uint64_t> kReach{8, 60, 150, 300};
    static const std::vector<std::string> kKinds{
        "sync", "watermark sync", "directory sync", "rename", "unlink", "link", "truncate"};
    if (random_.chance(50)) {
      disk_.arm(1 + random_.below(random_.pick(kReach)));
    } else {
      disk_.arm(1 + random_.below(20), random_.pick(kKinds));
    }
    if (const auto log = open_log(RocksLog::Verify::kTail)) {
      if (const auto store = open_store()) {
        work(*log, *store);
      }
    }
    if (failed_) return;
    disk_.cut();
    disk_.restore_power();
    ++result_.cuts;
  }

  void work(RocksLog& log, RocksKv& store) {
    projections::Projector projector(log, store, clock_, projections::all_projections(store),
                                     some_limits());
    projector.start();
    // The power goes by itself in most cases: the last append then has no answer.
    for (std::size_t i = 0; i < kAppendsMax && append_some(log); ++i) {
      projector.notify();
      if (random_.chance(10)) close_time(log);
      if (random_.chance(2)) static_cast<void>(store.flush());
    }
    const Status stopped = random_.chance(20) ? projector.stop() : Status();
    projector.abandon();
    const Status failure = stopped.ok() ? projector.status().error : stopped;
    if (!failure.ok() && !disk_.is_off()) {
      fail(result_.differing, "projector: " + failure.message());
    }
  }

  bool append_some(RocksLog& log) {
    const eventstore::LogHead head = log.head();
    const std::size_t count =
        random_.chance(4) ? 0 : 1 + random_.below(random_.chance(8) ? 400 : 12);
    prepare(head.next_position + count);
    const Entry entry = entry_of(head, history_.events, count);
    if (log.append(entry) != AppendOutcome::kCommitted) {
      unknown_ = entry;
      if (!disk_.is_off()) fail(result_.broken, "an append failed: " + log.failure().message());
      return false;
    }
    truth_.add(entry);
    ++result_.acknowledged_entries;
    result_.acknowledged_events += count;
    return true;
  }

  /// Events up to this position, some with a key that does not compress: an entry then has many
  /// sectors.
  void prepare(std::uint64_t end) {
    while (history_.events.size() < end) {
      const std::size_t first = history_.events.size();
      history_.step();
      for (std::size_t i = first; i < history_.events.size(); ++i) {
        if (!random_.chance(30)) continue;
        std::string& key = history_.events[i].idempotency_key;
        key.clear();
        while (key.size() < 120) key += std::to_string(random_.next());
      }
    }
  }

  void close_time(RocksLog& log) {
    const Instant time{log.closed().micros + 1 + static_cast<std::int64_t>(random_.below(1'000))};
    // No event may be recorded at or before it: only while the next one is later.
    const std::uint64_t next = log.head().next_position;
    prepare(next + 1);
    if (time >= history_.events[next].recorded_at) return;
    if (log.close(time).ok()) closed_ = time;
  }

  const std::uint64_t number_;
  CampaignResult& result_;
  const std::uint64_t seed_;
  simulation::Rng random_;
  projections::History history_;
  const std::string directory_;
  const std::string root_;
  const std::string watermark_;
  PowerCutDisk disk_;
  projections::FixedClock clock_;
  Truth truth_;
  std::optional<Entry> unknown_;  ///< Appended without an answer before the last cut.
  Instant closed_{};
  bool failed_ = false;
};

}  // namespace

CampaignResult run_campaign(const CampaignOptions& options) {
  CampaignResult result;
  for (std::uint64_t number = options.first_history; result.cuts < options.cuts; ++number) {
    const std::uint64_t before = result.cuts;
    Life life(options, number, result);
    life.run(std::min(options.cuts_per_history, options.cuts - result.cuts));
    ++result.histories;
    if (result.failures() > 0 && (result.cuts == before || result.failures() >= kFailuresShown)) {
      break;
    }
  }
  return result;
}

}  // namespace daybook::power_cut
