#include "projections/projector.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "eventstore/rocks_kv.h"
#include "tests/eventstore/temp_dir.h"
#include "tests/projections/history.h"
#include "tests/support/entries_of.h"

namespace daybook::projections {
namespace {

using eventstore::FakeLog;
using eventstore::KvBatch;
using eventstore::MemoryKv;
using eventstore::Table;

/// All tables made from the whole log in one go.
Dump rebuilt(const eventstore::EventLog& log) {
  MemoryKv store(kTableCount);
  FixedClock clock;
  Projector projector(log, store, clock, all_projections(store));
  const Status status = projector.run_once();
  CHECK(status.ok());
  return dump(store);
}

RC_GTEST_PROP(ProjectorTest, rebuilt_and_grown_tables_are_equal_byte_for_byte, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const History history = some_history(seed, *rc::gen::inRange<std::size_t>(1, 200));
  FakeLog log;
  MemoryKv store(kTableCount);
  FixedClock clock;
  ProjectorLimits limits;
  limits.batch_events = *rc::gen::inRange<std::uint64_t>(1, 40);
  limits.ingest_events = *rc::gen::inRange<std::uint64_t>(1, 60);
  limits.flush_events = *rc::gen::inRange<std::uint64_t>(1, 100);
  auto projector = std::make_unique<Projector>(log, store, clock, all_projections(store), limits);
  std::mt19937_64 random(seed);
  std::size_t done = 0;
  while (done < history.events.size()) {
    const std::size_t next = std::min(history.events.size(), done + 1 + random() % 60);
    append_range(log, history, done, next, random());
    done = next;
    RC_ASSERT(projector->run_once().ok());
    RC_ASSERT(projector->applied() == log.head().next_position);
    if (random() % 2 == 0) {
      // Power is lost: every table falls back on its own, to a batch of rows and their checkpoint.
      projector.reset();
      store.crash(random());
      projector = std::make_unique<Projector>(log, store, clock, all_projections(store), limits);
    }
  }
  RC_ASSERT(projector->run_once().ok());
  for (const auto& projection : projector->status().projections) RC_ASSERT(!projection.rebuilt);
  RC_ASSERT(dump(store) == rebuilt(log));
}

RC_GTEST_PROP(ProjectorTest, after_a_crash_rows_are_exactly_those_of_their_checkpoint, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const History history = some_history(seed, 150);
  FakeLog log;
  append_all(log, history, seed);
  MemoryKv store(kTableCount);
  FixedClock clock;
  ProjectorLimits limits;
  limits.batch_events = *rc::gen::inRange<std::uint64_t>(1, 40);
  limits.ingest_events = *rc::gen::inRange<std::uint64_t>(1, 60);
  RC_ASSERT(Projector(log, store, clock, all_projections(store), limits).run_once().ok());
  store.crash(*rc::gen::arbitrary<std::uint64_t>());

  const Dump found = dump(store);
  for (Table table = 0; table < kTableCount; ++table) {
    const auto row = found.find({table, std::string(kCheckpointKey)});
    const auto checkpoint =
        row == found.end() ? Checkpoint{} : decode_checkpoint(row->second).value();
    FakeLog prefix;
    auto cursor = log.read(0);
    for (std::uint64_t i = 0; i < checkpoint.entry_no; ++i) {
      auto entry = (*cursor)->next();
      RC_ASSERT(prefix.append(**entry) == eventstore::AppendOutcome::kCommitted);
    }
    Dump expected;
    if (checkpoint.entry_no > 0) expected = rebuilt(prefix);
    const auto of_table = [&](const Dump& all) {
      Dump rows;
      for (const auto& [key, value] : all) {
        if (key.first == table) rows[key] = value;
      }
      return rows;
    };
    RC_ASSERT(of_table(found) == of_table(expected));
  }
}

TEST(ProjectorTest, a_batch_bounded_in_bytes_gives_the_same_tables) {
  const History history = some_history(11, 400);
  FakeLog log;
  append_all(log, history, 11);
  MemoryKv store(kTableCount);
  FixedClock clock;
  ProjectorLimits limits;
  limits.batch_bytes = 300;
  int batches = 0;
  Projector projector(log, store, clock, all_projections(store), limits);
  projector.on_applied([&](std::uint64_t) { ++batches; });
  ASSERT_TRUE(projector.run_once().ok());
  EXPECT_GT(batches, 10);
  EXPECT_EQ(dump(store), rebuilt(log));
}

void expect_tables_on_rocksdb_to_equal_those_in_memory(ProjectorLimits limits) {
  const History history = some_history(12, 500);
  FakeLog log;
  FixedClock clock;
  const eventstore::TempDir dir;
  const std::size_t half = history.events.size() / 2;
  for (const auto& [from, to] : {std::pair{std::size_t{0}, half}, {half, history.events.size()}}) {
    append_range(log, history, from, to, from);
    eventstore::RocksKv::Options options;
    options.ingest_threads = limits.threads;
    auto store = eventstore::RocksKv::open(dir.file("proj"), table_specs(), options);
    ASSERT_TRUE(store.ok());
    Projector projector(log, **store, clock, all_projections(**store), limits);
    ASSERT_TRUE(projector.run_once().ok());
    for (const auto& projection : projector.status().projections) {
      EXPECT_FALSE(projection.rebuilt) << projection.name;
      EXPECT_EQ(projection.lag, 0U) << projection.name;
    }
    EXPECT_EQ(dump(**store), rebuilt(log));
  }
}

TEST(ProjectorTest, tables_on_rocksdb_equal_those_in_memory_across_a_restart) {
  ProjectorLimits limits;
  limits.batch_events = 50;
  expect_tables_on_rocksdb_to_equal_those_in_memory(limits);
}

TEST(ProjectorTest, tables_ingested_into_rocksdb_equal_those_in_memory_across_a_restart) {
  ProjectorLimits limits;
  limits.batch_events = 50;
  limits.ingest_events = 40;  // The last batch of each half is smaller: written.
  expect_tables_on_rocksdb_to_equal_those_in_memory(limits);
}

TEST(ProjectorTest, tables_made_on_several_threads_equal_those_in_memory_across_a_restart) {
  ProjectorLimits limits;
  limits.threads = 3;
  for (const std::uint64_t share : {1U, 20U, 1'000U}) {
    limits.share_events = share;
    limits.batch_events = 50;
    limits.ingest_events = 40;
    expect_tables_on_rocksdb_to_equal_those_in_memory(limits);
  }
}

/// Counts how it is written to.
class CountingStore final : public eventstore::KvStore {
 public:
  Status write(const KvBatch& batch) override {
    ++writes;
    largest = std::max(largest, batch.bytes());
    return rows.write(batch);
  }
  Status ingest(const KvBatch& batch) override {
    ++ingests;
    const auto& all = batch.operations();
    for (std::size_t i = 1; i < all.size(); ++i) {
      is_ordered = is_ordered && (all[i - 1].table != all[i].table || all[i - 1].key < all[i].key);
    }
    const Status written = rows.write(batch);
    return written.ok() ? rows.flush() : written;
  }
  Status flush() override {
    ++flushes;
    return rows.flush();
  }
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    return rows.get(table, key);
  }
  std::unique_ptr<eventstore::KvReader> snapshot() const override { return rows.snapshot(); }
  Status clear(Table table) override { return rows.clear(table); }
  Status purge(Table table) override { return rows.purge(table); }

  MemoryKv rows{kTableCount};
  std::size_t largest = 0;  ///< Of the batches that were written.
  int writes = 0;
  int ingests = 0;
  int flushes = 0;
  bool is_ordered = true;
};

TEST(ProjectorTest, a_batch_bounded_in_memory_gives_the_same_tables) {
  const History history = some_history(14, 400);
  FakeLog log;
  append_all(log, history, 14);
  CountingStore store;
  FixedClock clock;
  ProjectorLimits limits;
  limits.batch_memory_bytes = 20'000;
  Projector projector(log, store, clock, all_projections(store), limits);
  ASSERT_TRUE(projector.run_once().ok());
  EXPECT_GT(store.writes, 5);
  EXPECT_EQ(dump(store), rebuilt(log));
}

TEST(ProjectorTest, a_batch_that_changes_accounts_with_much_in_them_is_bounded_in_memory_too) {
  constexpr int kAccounts = 24;
  History history(15);
  const TenantId tenant("acme");
  const auto account = [](int i) { return AccountId("full" + std::to_string(i)); };
  for (int i = 0; i < kAccounts; ++i) {
    history.run(tenant, account(i),
                domain::OpenAccount{currency("USD"), domain::AccountMode::kPrepaid, {}});
    for (std::size_t tag = 0; tag < domain::kTagsMax; ++tag) {
      history.run(tenant, account(i),
                  domain::SetTag{{}, "t" + std::to_string(tag), std::string(256, 'v'), {}});
    }
  }
  const std::size_t tagged = history.events.size();
  // 20 rounds: one small event for each account.
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < kAccounts; ++i) {
      history.run(tenant, account(i), domain::TopUp{money("1.00", "USD"), {}, {}, {}});
    }
  }
  FakeLog log;
  append_range(log, history, 0, tagged, 15);
  CountingStore store;
  FixedClock clock;
  ASSERT_TRUE(Projector(log, store, clock, all_projections(store)).run_once().ok());
  append_range(log, history, tagged, history.events.size(), 16);
  ProjectorLimits limits;
  limits.batch_memory_bytes = std::size_t{1} << 20;
  store.largest = 0;
  Projector projector(log, store, clock, all_projections(store), limits);
  ASSERT_TRUE(projector.run_once().ok());
  // An entry here has at most nine events: nine states are what it may go beyond.
  EXPECT_LT(store.largest, 5 * limits.batch_memory_bytes);
}

TEST(ProjectorTest, a_large_batch_is_ingested_and_needs_no_flush) {
  const History history = some_history(13, 400);
  FakeLog log;
  append_all(log, history, 13);
  CountingStore store;
  FixedClock clock;
  ProjectorLimits limits;
  limits.batch_events = 100;
  limits.ingest_events = 100;
  limits.flush_events = 150;
  Projector projector(log, store, clock, all_projections(store), limits);
  ASSERT_TRUE(projector.run_once().ok());
  EXPECT_GE(store.ingests, 2);
  EXPECT_TRUE(store.is_ordered);
  EXPECT_LE(store.writes, 1) << "the rest";
  EXPECT_EQ(store.flushes, 0);
  EXPECT_EQ(dump(store), rebuilt(log));
}

/// Counts events; its code version and failures are the test's to choose.
class Counting final : public Projection {
 public:
  Counting(Table table, std::uint32_t code_version, std::uint64_t fail_at = UINT64_MAX)
      : table_(table), code_version_(code_version), fail_at_(fail_at) {}
  std::string_view name() const override { return "counting"; }
  std::uint32_t code_version() const override { return code_version_; }
  Table table() const override { return table_; }
  Status apply(const eventstore::DecodedEntry& entry, KvBatch& batch) override {
    for (std::size_t i = 0; i < entry.events.size(); ++i) {
      const std::uint64_t position = entry.entry.base_position + i;
      if (position == fail_at_) return io_error("the disk is gone");
      batch.put(table_, "p" + std::to_string(position), std::to_string(code_version_));
      ++applied;
    }
    return {};
  }
  std::uint64_t applied = 0;

 private:
  Table table_;
  std::uint32_t code_version_;
  std::uint64_t fail_at_;
};

class TwoTablesTest : public testing::Test {
 protected:
  TwoTablesTest() : history_(some_history(3, 60)) { append_all(log_, history_, 3); }

  std::unique_ptr<Projector> make(std::uint32_t first_version, std::uint32_t second_version,
                                  std::uint64_t second_fails_at = UINT64_MAX) {
    std::vector<std::unique_ptr<Projection>> projections;
    auto first = std::make_unique<Counting>(0, first_version);
    auto second = std::make_unique<Counting>(1, second_version, second_fails_at);
    first_ = first.get();
    second_ = second.get();
    projections.push_back(std::move(first));
    projections.push_back(std::move(second));
    ProjectorLimits limits;
    limits.batch_events = 10;
    limits.waiters_max = 2;
    return std::make_unique<Projector>(log_, store_, clock_, std::move(projections), limits);
  }
  std::string row(Table table, std::uint64_t position) {
    return store_.get(table, "p" + std::to_string(position))->value_or("none");
  }
  std::uint64_t head() const { return log_.head().next_position; }

  History history_;
  FakeLog log_;
  MemoryKv store_{2};
  FixedClock clock_;
  Counting* first_ = nullptr;
  Counting* second_ = nullptr;
};

TEST_F(TwoTablesTest, another_code_version_rebuilds_that_table_alone) {
  const auto before = make(1, 1);
  ASSERT_TRUE(before->run_once().ok());
  EXPECT_EQ(first_->applied, head());
  const auto projector = make(1, 2);
  ASSERT_TRUE(projector->run_once().ok());
  EXPECT_EQ(first_->applied, 0U);
  EXPECT_EQ(second_->applied, head());
  EXPECT_EQ(row(0, 0), "1");
  EXPECT_EQ(row(1, 0), "2");
  EXPECT_FALSE(projector->status().projections[0].rebuilt);
  EXPECT_TRUE(projector->status().projections[1].rebuilt);
}

TEST_F(TwoTablesTest, nothing_is_read_twice_after_an_ordinary_restart) {
  ASSERT_TRUE(make(1, 1)->run_once().ok());
  const auto projector = make(1, 1);
  ASSERT_TRUE(projector->run_once().ok());
  EXPECT_EQ(first_->applied, 0U);
  EXPECT_EQ(projector->applied(), head());
}

/// Looks at the tables between any two writes, as a reader may.
class WatchedKv final : public eventstore::KvStore {
 public:
  explicit WatchedKv(MemoryKv& store) : store_(store) {}
  Status write(const KvBatch& batch) override {
    const Status status = store_.write(batch);
    const auto rows = store_.snapshot();
    seen.emplace_back(position(*rows, 0), position(*rows, 1));
    return status;
  }
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    return store_.get(table, key);
  }
  std::unique_ptr<eventstore::KvReader> snapshot() const override { return store_.snapshot(); }
  Status flush() override {
    const Status status = flush_failure.ok() ? store_.flush() : flush_failure;
    const std::lock_guard lock(mutex);
    ++flushes;
    flushed.notify_all();
    return status;
  }
  Status begin_flush() override { return begins_only ? Status() : flush(); }
  Status clear(Table table) override { return store_.clear(table); }
  Status purge(Table table) override { return store_.purge(table); }

  bool begins_only = false;  ///< A flush that was begun never ends.
  std::mutex mutex;
  std::condition_variable flushed;
  int flushes = 0;  ///< Guarded by mutex while a thread runs.
  Status flush_failure;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;

 private:
  static std::uint64_t position(const eventstore::KvReader& rows, Table table) {
    const auto row = rows.get(table, kCheckpointKey);
    return *row ? decode_checkpoint(**row)->next_position : 0;
  }

  MemoryKv& store_;
};

TEST_F(TwoTablesTest, a_reader_finds_all_tables_at_one_position) {
  WatchedKv watched(store_);
  std::vector<std::unique_ptr<Projection>> projections;
  projections.push_back(std::make_unique<Counting>(0, 1));
  projections.push_back(std::make_unique<Counting>(1, 1));
  ProjectorLimits limits;
  limits.batch_events = 10;
  Projector projector(log_, watched, clock_, std::move(projections), limits);
  ASSERT_TRUE(projector.run_once().ok());
  ASSERT_GT(watched.seen.size(), 3U);
  for (const auto& [first, second] : watched.seen) EXPECT_EQ(first, second);
  EXPECT_EQ(watched.seen.back().first, head());
}

class FlushTest : public TwoTablesTest {
 protected:
  std::unique_ptr<Projector> make(std::int64_t idle_micros = 1'000'000) {
    std::vector<std::unique_ptr<Projection>> projections;
    projections.push_back(std::make_unique<Counting>(0, 1));
    projections.push_back(std::make_unique<Counting>(1, 1));
    ProjectorLimits limits;
    limits.flush_micros = 60'000'000;
    limits.idle_micros = idle_micros;
    return std::make_unique<Projector>(log_, watched_, clock_, std::move(projections), limits);
  }
  int flushes_at(Projector& projector, std::int64_t micros) {
    clock_.steady_micros = micros;
    EXPECT_TRUE(projector.run_once().ok());
    return watched_.flushes;
  }

  WatchedKv watched_{store_};
};

TEST_F(FlushTest, what_was_written_is_flushed_within_a_time_though_nothing_follows) {
  const auto projector = make();
  EXPECT_EQ(flushes_at(*projector, 0), 0);
  EXPECT_EQ(flushes_at(*projector, 59'999'999), 0);
  EXPECT_EQ(flushes_at(*projector, 60'000'000), 1);
  store_.crash(1);
  for (const Table table : {0U, 1U}) EXPECT_EQ(row(table, head() - 1), "1");
  EXPECT_EQ(flushes_at(*projector, 600'000'000), 1) << "there is nothing new to flush";
}

TEST_F(FlushTest, the_time_begins_with_the_first_write_after_a_flush) {
  const auto projector = make();
  EXPECT_EQ(flushes_at(*projector, 0), 0);
  EXPECT_EQ(flushes_at(*projector, 60'000'000), 1);
  append_events(log_, {history_.events.back()});
  EXPECT_EQ(flushes_at(*projector, 150'000'000), 1);
  append_events(log_, {history_.events.back()});
  EXPECT_EQ(flushes_at(*projector, 209'999'999), 1);
  append_events(log_, {history_.events.back()});
  EXPECT_EQ(flushes_at(*projector, 210'000'000), 2);
}

TEST_F(FlushTest, the_thread_flushes_while_it_idles) {
  const auto projector = make(1'000);
  EXPECT_EQ(flushes_at(*projector, 0), 0);
  projector->start();
  clock_.steady_micros = 60'000'000;
  std::unique_lock lock(watched_.mutex);
  EXPECT_TRUE(watched_.flushed.wait_for(lock, std::chrono::seconds(20),
                                        [&] { return watched_.flushes == 1; }));
}

TEST_F(FlushTest, it_goes_on_while_a_flush_is_under_way_and_waits_for_it_at_the_end) {
  watched_.begins_only = true;
  const auto projector = make();
  EXPECT_EQ(flushes_at(*projector, 0), 0);
  EXPECT_EQ(flushes_at(*projector, 60'000'000), 0);
  append_events(log_, {history_.events.back()});
  EXPECT_EQ(flushes_at(*projector, 60'000'001), 0);
  EXPECT_EQ(projector->applied(), head());
  EXPECT_EQ(flushes_at(*projector, 120'000'001), 0);
  EXPECT_TRUE(projector->stop().ok());
  EXPECT_EQ(watched_.flushes, 1) << "nobody has waited for the one that was begun";
  EXPECT_TRUE(projector->stop().ok());
  EXPECT_EQ(watched_.flushes, 1);
}

TEST_F(FlushTest, a_flush_that_fails_stops_it_for_good) {
  const auto projector = make();
  EXPECT_EQ(flushes_at(*projector, 0), 0);
  watched_.flush_failure = io_error("the disk is gone");
  clock_.steady_micros = 60'000'000;
  EXPECT_EQ(projector->run_once().code(), StatusCode::kIo);
  EXPECT_EQ(projector->status().error.message(), "the disk is gone");
}

TEST_F(TwoTablesTest, a_checkpoint_beyond_the_log_is_rebuilt) {
  ASSERT_TRUE(make(1, 1)->run_once().ok());
  FakeLog shorter;
  append_range(shorter, history_, 0, 5, 1);
  std::vector<std::unique_ptr<Projection>> projections;
  projections.push_back(std::make_unique<Counting>(0, 1));
  Projector projector(shorter, store_, clock_, std::move(projections));
  ASSERT_TRUE(projector.run_once().ok());
  EXPECT_TRUE(projector.status().projections[0].rebuilt);
  EXPECT_EQ(row(0, 4), "1");
  EXPECT_EQ(row(0, 5), "none");
}

TEST_F(TwoTablesTest, a_checkpoint_of_another_log_is_rebuilt_even_where_the_positions_fit) {
  ASSERT_TRUE(make(1, 1)->run_once().ok());
  FakeLog other;
  append_all(other, some_history(4, 300), 9);
  ASSERT_GT(other.head().entry_count, log_.head().entry_count);
  std::vector<std::unique_ptr<Projection>> projections;
  auto counting = std::make_unique<Counting>(0, 1);
  Counting* counted = counting.get();
  projections.push_back(std::move(counting));
  Projector projector(other, store_, clock_, std::move(projections));
  ASSERT_TRUE(projector.run_once().ok());
  EXPECT_TRUE(projector.status().projections[0].rebuilt);
  EXPECT_EQ(counted->applied, other.head().next_position);
}

TEST_F(TwoTablesTest, a_damaged_checkpoint_is_rebuilt) {
  ASSERT_TRUE(make(1, 1)->run_once().ok());
  KvBatch batch;
  batch.put(1, std::string(kCheckpointKey), "?");
  ASSERT_TRUE(store_.write(batch).ok());
  const auto projector = make(1, 1);
  ASSERT_TRUE(projector->run_once().ok());
  EXPECT_TRUE(projector->status().projections[1].rebuilt);
  EXPECT_EQ(second_->applied, head());
}

TEST_F(TwoTablesTest, rows_without_a_checkpoint_are_not_trusted) {
  KvBatch batch;
  batch.put(1, "p999999", "left over");
  ASSERT_TRUE(store_.write(batch).ok());
  ASSERT_TRUE(make(1, 1)->run_once().ok());
  EXPECT_EQ(row(1, 999'999), "none");
}

TEST_F(TwoTablesTest, an_error_stops_for_good_and_is_published) {
  const auto projector = make(1, 1, 25);
  EXPECT_EQ(projector->run_once().code(), StatusCode::kIo);
  EXPECT_EQ(projector->run_once().code(), StatusCode::kIo);
  const ProjectorStatus status = projector->status();
  EXPECT_EQ(status.error.message(), "the disk is gone");
  EXPECT_TRUE(status.projections[0].last_error.ok());
  EXPECT_EQ(status.projections[1].last_error.message(), "the disk is gone");
  EXPECT_LE(status.applied, 25U);
  EXPECT_EQ(status.projections[1].lag, head() - status.projections[1].position);
  EXPECT_EQ(row(1, 25), "none");
  EXPECT_EQ(row(1, 26), "none");

  const auto repaired = make(1, 1);
  ASSERT_TRUE(repaired->run_once().ok());
  EXPECT_EQ(row(1, 25), "1");
  EXPECT_EQ(second_->applied, head() - status.projections[1].position);
}

TEST_F(TwoTablesTest, an_event_that_cannot_be_decoded_stops_it) {
  eventstore::Entry entry;
  const auto log_head = log_.head();
  entry.generation = log_head.generation;
  entry.entry_no = log_head.entry_count;
  entry.base_position = log_head.next_position;
  entry.prev_chain = log_head.chain;
  entry.first_recorded_at = entry.last_recorded_at = log_head.last_recorded_at;
  entry.count = 1;
  eventstore::append_event_bytes(entry.body, "not an event");
  ASSERT_EQ(log_.append(entry), eventstore::AppendOutcome::kCommitted);
  const auto projector = make(1, 1);
  EXPECT_EQ(projector->run_once().code(), StatusCode::kCorrupt);
  EXPECT_EQ(projector->status().error.code(), StatusCode::kCorrupt);
  EXPECT_LT(projector->applied(), head());
}

TEST_F(TwoTablesTest, waiters_are_called_once_when_their_position_is_applied) {
  const auto projector = make(1, 1);
  std::vector<bool> calls;
  const auto callback = [&](bool reached) { calls.push_back(reached); };
  ASSERT_TRUE(projector->when_applied(head(), {1'000}, callback));
  EXPECT_TRUE(calls.empty());
  EXPECT_EQ(projector->status().waiters, 1U);
  ASSERT_TRUE(projector->run_once().ok());
  EXPECT_EQ(calls, std::vector<bool>{true});
  ASSERT_TRUE(projector->when_applied(head(), {1'000}, callback));
  EXPECT_EQ(calls, (std::vector<bool>{true, true}));
  EXPECT_EQ(projector->status().waiters, 0U);
}

TEST_F(TwoTablesTest, a_waiter_is_let_go_at_its_deadline) {
  const auto projector = make(1, 1);
  std::vector<std::string> calls;
  ASSERT_TRUE(projector->when_applied(
      head() + 1, {1'000}, [&](bool reached) { calls.push_back(reached ? "+" : "early"); }));
  ASSERT_TRUE(projector->when_applied(
      head() + 1, {2'000}, [&](bool reached) { calls.push_back(reached ? "+" : "late"); }));
  clock_.steady_micros = 999;
  ASSERT_TRUE(projector->run_once().ok());
  EXPECT_TRUE(calls.empty());
  clock_.steady_micros = 1'000;
  ASSERT_TRUE(projector->run_once().ok());
  EXPECT_EQ(calls, std::vector<std::string>{"early"});
  append_events(log_, {history_.events.back()});
  ASSERT_TRUE(projector->run_once().ok());
  EXPECT_EQ(calls, (std::vector<std::string>{"early", "+"}));
}

TEST_F(TwoTablesTest, waiters_beyond_the_bound_are_refused) {
  const auto projector = make(1, 1);
  int calls = 0;
  const auto callback = [&](bool) { ++calls; };
  EXPECT_TRUE(projector->when_applied(1, {1}, callback));
  EXPECT_TRUE(projector->when_applied(2, {1}, callback));
  EXPECT_FALSE(projector->when_applied(3, {1}, callback));
  EXPECT_EQ(calls, 0);
}

TEST_F(TwoTablesTest, an_error_lets_the_waiters_go_and_takes_no_more) {
  const auto projector = make(1, 1, 25);
  std::vector<bool> calls;
  ASSERT_TRUE(
      projector->when_applied(head(), {1'000}, [&](bool reached) { calls.push_back(reached); }));
  EXPECT_FALSE(projector->run_once().ok());
  EXPECT_EQ(calls, std::vector<bool>{false});
  EXPECT_FALSE(projector->when_applied(head(), {1'000}, [](bool) {}));
}

TEST_F(TwoTablesTest, stop_flushes_what_was_applied) {
  const auto projector = make(1, 1);
  ASSERT_TRUE(projector->run_once().ok());
  ASSERT_TRUE(projector->stop().ok());
  store_.crash(1);
  for (const Table table : {0U, 1U}) EXPECT_EQ(row(table, head() - 1), "1");
}

TEST_F(TwoTablesTest, the_thread_follows_the_log_and_calls_waiters) {
  const auto projector = make(1, 1);
  std::uint64_t observed = 0;  // Read after stop() alone.
  projector->on_applied([&](std::uint64_t position) { observed = position; });
  projector->start();
  std::mutex mutex;
  std::condition_variable called;
  int reached_count = 0;
  for (int i = 0; i < 50; ++i) {
    append_events(log_, {history_.events.back()});
    projector->notify();
    ASSERT_TRUE(projector->when_applied(head(), {INT64_MAX}, [&](bool reached) {
      const std::lock_guard inner(mutex);
      reached_count += reached ? 1 : 1'000;
      called.notify_all();
    }));
    std::unique_lock lock(mutex);
    ASSERT_TRUE(
        called.wait_for(lock, std::chrono::seconds(20), [&] { return reached_count == i + 1; }));
  }
  EXPECT_EQ(projector->applied(), head());
  std::vector<bool> left;
  ASSERT_TRUE(projector->when_applied(head() + 1, {INT64_MAX},
                                      [&](bool reached) { left.push_back(reached); }));
  ASSERT_TRUE(projector->stop().ok());
  EXPECT_EQ(left, std::vector<bool>{false});
  EXPECT_EQ(observed, head());
  EXPECT_EQ(row(0, head() - 1), "1");
}

TEST_F(TwoTablesTest, the_thread_lets_a_waiter_go_at_its_deadline) {
  const auto projector = make(1, 1);
  projector->start();
  std::mutex mutex;
  std::condition_variable called;
  std::optional<bool> outcome;
  ASSERT_TRUE(projector->when_applied(head() + 1, {1'000}, [&](bool reached) {
    const std::lock_guard lock(mutex);
    outcome = reached;
    called.notify_all();
  }));
  clock_.steady_micros = 1'000;
  std::unique_lock lock(mutex);
  ASSERT_TRUE(called.wait_for(lock, std::chrono::seconds(20), [&] { return outcome.has_value(); }));
  EXPECT_FALSE(*outcome);
}

TEST_F(TwoTablesTest, a_wall_clock_that_steps_neither_ends_a_wait_nor_makes_it_longer) {
  clock_.micros = 20 * kHour;
  const auto projector = make(1, 1);
  ASSERT_TRUE(projector->run_once().ok());
  std::vector<bool> calls;
  ASSERT_TRUE(
      projector->when_applied(head() + 1, 1'000, [&](bool reached) { calls.push_back(reached); }));
  for (const std::int64_t wall : {21 * kHour, 10 * kHour}) {
    clock_.micros = wall;
    ASSERT_TRUE(projector->run_once().ok());
    EXPECT_TRUE(calls.empty()) << wall;
  }
  clock_.steady_micros = 1'000;
  ASSERT_TRUE(projector->run_once().ok());
  EXPECT_EQ(calls, std::vector<bool>{false});
}

TEST_F(TwoTablesTest, the_thread_measures_a_wait_by_no_wall_clock) {
  clock_.micros = 20 * kHour;
  const auto projector = make(1, 1);
  projector->start();
  std::promise<bool> outcome;
  auto told = outcome.get_future();
  ASSERT_TRUE(projector->when_applied(head() + 1, 1'000,
                                      [&](bool reached) { outcome.set_value(reached); }));
  clock_.micros = 21 * kHour;
  EXPECT_EQ(told.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  clock_.micros = 10 * kHour;
  clock_.steady_micros = 1'000;
  ASSERT_EQ(told.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_FALSE(told.get());
}

/// Lets nothing through while it is held, and counts what came.
class GatedKv final : public eventstore::KvStore {
 public:
  explicit GatedKv(MemoryKv& store) : store_(store) {}
  Status write(const KvBatch& batch) override {
    {
      std::unique_lock lock(mutex_);
      ++writes_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !held_; });
    }
    return store_.write(batch);
  }
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    return store_.get(table, key);
  }
  std::unique_ptr<eventstore::KvReader> snapshot() const override { return store_.snapshot(); }
  Status flush() override {
    ++flushes;
    return store_.flush();
  }
  Status clear(Table table) override { return store_.clear(table); }
  Status purge(Table table) override { return store_.purge(table); }

  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  int writes() const {
    const std::lock_guard lock(mutex_);
    return writes_;
  }
  bool wait_for_writes(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return writes_ >= count; });
  }
  std::atomic<int> flushes{0};

 private:
  MemoryKv& store_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int writes_ = 0;
  bool held_ = false;
};

class ProjectorThreadTest : public TwoTablesTest {
 protected:
  std::unique_ptr<Projector> follow(std::int64_t gather_micros) {
    std::vector<std::unique_ptr<Projection>> projections;
    projections.push_back(std::make_unique<Counting>(0, 1));
    ProjectorLimits limits;
    limits.gather_micros = gather_micros;
    limits.idle_micros = kForever;  // The thread wakes when it is told to.
    return std::make_unique<Projector>(log_, gated_, clock_, std::move(projections), limits);
  }
  void commit(Projector& projector) {
    append_events(log_, {history_.events.back()});
    projector.notify();
  }

  static constexpr std::int64_t kForever = 3'600'000'000;
  GatedKv gated_{store_};
};

TEST_F(ProjectorThreadTest, abandoned_it_ends_with_its_batch_and_writes_nothing_more) {
  const auto projector = follow(0);
  projector->start();
  ASSERT_TRUE(gated_.wait_for_writes(1));
  gated_.hold(true);
  commit(*projector);
  ASSERT_TRUE(gated_.wait_for_writes(2));
  commit(*projector);  // For another batch, that stop() would write.
  std::vector<bool> left;
  ASSERT_TRUE(
      projector->when_applied(head(), 1'000, [&](bool reached) { left.push_back(reached); }));
  std::thread opener([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    gated_.hold(false);
  });
  projector->abandon();
  const std::uint64_t applied = projector->applied();
  EXPECT_EQ(gated_.writes(), 2);
  EXPECT_EQ(gated_.flushes, 0);
  EXPECT_EQ(applied, head() - 1);
  EXPECT_EQ(left, std::vector<bool>{false}) << "somebody still waits";
  EXPECT_FALSE(projector->when_applied(head(), 1'000, [](bool) {}));
  opener.join();
}

TEST_F(ProjectorThreadTest, a_wait_for_what_is_not_committed_leaves_the_gathering_on) {
  const auto projector = follow(kForever);
  projector->start();
  ASSERT_TRUE(gated_.wait_for_writes(1));
  ASSERT_TRUE(projector->when_applied(head() + 1'000, INT64_MAX, [](bool) {}));
  for (int i = 0; i < 3; ++i) commit(*projector);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(gated_.writes(), 1) << "one who waits for the far future hurries all";
  // One who waits for what is there does not wait for the others.
  std::promise<bool> outcome;
  auto told = outcome.get_future();
  ASSERT_TRUE(projector->when_applied(head(), INT64_MAX,
                                      [&](bool reached) { outcome.set_value(reached); }));
  ASSERT_EQ(told.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(told.get());
}

TEST_F(ProjectorThreadTest, a_batch_that_took_long_is_followed_by_the_next_at_once) {
  const auto projector = follow(kForever);
  projector->start();
  ASSERT_TRUE(gated_.wait_for_writes(1));
  gated_.hold(true);
  commit(*projector);
  projector->hurry();
  ASSERT_TRUE(gated_.wait_for_writes(2));
  clock_.steady_micros = kForever;
  commit(*projector);
  gated_.hold(false);
  EXPECT_TRUE(gated_.wait_for_writes(3));
  commit(*projector);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(gated_.writes(), 3) << "that one took no time";
}

TEST_F(ProjectorThreadTest, what_comes_after_a_long_rest_is_not_kept_waiting) {
  const auto projector = follow(kForever);
  projector->start();
  ASSERT_TRUE(gated_.wait_for_writes(1));
  clock_.steady_micros = kForever;
  commit(*projector);
  EXPECT_TRUE(gated_.wait_for_writes(2));
}

// --- Row cache
// ------------------------------------------------------------------------------------

struct Number {
  int value = 0;
};
std::string encode_row(const Number& row) { return std::to_string(row.value); }
bool decode_row(std::string_view bytes, Number& row) {
  row.value = std::stoi(std::string(bytes));
  return row.value >= 0;
}

/// A row that holds memory.
struct Wide {
  std::string text;
};
std::string encode_row(const Wide& row) { return row.text; }
bool decode_row(std::string_view bytes, Wide& row) {
  row.text = bytes;
  return true;
}
std::size_t held_bytes(const Wide& row) { return row.text.size(); }

TEST(RowCacheTest, what_changed_rows_hold_is_counted_until_they_are_put) {
  MemoryKv store(1);
  KvBatch stored;
  stored.put(0, "a", std::string(100'000, 'x'));
  ASSERT_TRUE(store.write(stored).ok());
  RowCache<Wide> rows(store, 0);
  ASSERT_TRUE(rows.read("a").ok());
  EXPECT_EQ(rows.changed_bytes(), 0U);
  for (int i = 0; i < 2; ++i) {  // read, then kept
    ASSERT_TRUE(rows.edit("a").ok());
    EXPECT_GE(rows.changed_bytes(), 200'000U);
    EXPECT_LT(rows.changed_bytes(), 202'000U);
    KvBatch batch;
    rows.finish(batch);
    EXPECT_EQ(rows.changed_bytes(), 0U);
  }
}

TEST(RowCacheTest, what_a_row_grows_by_is_counted_and_what_it_replaces_is_not) {
  MemoryKv store(1);
  RowCache<Wide> rows(store, 0);
  for (std::size_t i = 1; i <= 1'000; ++i) {
    (*rows.edit("grows", 100))->emplace(Wide{std::string(i * 100, 'x')});
    EXPECT_GE(rows.changed_bytes(), 2 * i * 100);
    EXPECT_LE(rows.changed_bytes(), 4 * (i + 1) * 100 + 1'024);
  }
  const std::size_t grown = rows.changed_bytes();
  for (int i = 0; i < 10'000; ++i) {
    (*rows.edit("stays", 100))->emplace(Wide{std::string(100, 'x')});
  }
  EXPECT_LT(rows.changed_bytes() - grown, 2'000U);
}

TEST(RowCacheTest, each_changed_row_is_put_once) {
  MemoryKv store(1);
  RowCache<Number> rows(store, 0);
  for (const char* key : {"c", "a", "c", "b", "c"}) {
    auto row = rows.edit(key);
    ASSERT_TRUE(row.ok());
    if (!**row) (*row)->emplace();
    ++(**row)->value;
  }
  KvBatch batch;
  rows.finish(batch);
  ASSERT_EQ(batch.operations().size(), 3U);
  batch.sort();
  EXPECT_EQ(batch.operations()[0].key, "a");
  EXPECT_EQ(batch.operations()[2].key, "c");
  EXPECT_EQ(batch.operations()[2].value, "3");
  KvBatch nothing;
  rows.finish(nothing);
  EXPECT_TRUE(nothing.empty());
}

TEST(RowCacheTest, a_row_is_the_same_by_its_key_and_by_its_stream) {
  MemoryKv store(1);
  eventstore::StreamNumbers numbers(3);
  RowCache<Number> rows(store, 0, 3);
  auto entry = test::entry_of({test::account_stream("a"), test::account_stream("b")});
  auto again = test::entry_of({test::account_stream("b"), test::account_stream("a")});
  numbers.number(entry);
  numbers.number(again);
  const auto add = [&](const eventstore::DecodedEntry& of, std::size_t event, const char* rest) {
    auto row = rows.edit_of(of, event, rest);
    ASSERT_TRUE(row.ok());
    if (!**row) (*row)->emplace();
    ++(**row)->value;
  };
  const auto value = [&](const std::string& account, const char* rest) {
    const auto row = rows.read(account_prefix(TenantId("acme"), account) + rest);
    return *row && **row ? (**row)->value : 0;
  };
  const auto put = [&] {
    KvBatch batch;
    rows.finish(batch);
    ASSERT_TRUE(store.write(batch).ok());
  };
  // The row that ends with nothing is not the one that was found last, which ends with it too.
  add(entry, 0, "EUR");
  add(entry, 0, "");
  EXPECT_EQ(value("a", "EUR"), 1);
  EXPECT_EQ(value("a", ""), 1);
  rows.clear();
  // Two rows of one stream in turn, and another stream.
  for (const char* rest : {"EUR", "USD", "USD", "EUR", "EUR"}) add(entry, 0, rest);
  add(again, 0, "EUR");
  add(test::entry_of({test::account_stream("a")}), 0, "USD");  // without a number
  EXPECT_EQ(value("a", "EUR"), 3);
  EXPECT_EQ(value("a", "USD"), 3);
  EXPECT_EQ(value("b", "EUR"), 1);
  put();
  EXPECT_EQ(rows.size(), 3U);
  // A fourth row empties the cache with the batch: what was kept by streams is gone, too.
  add(again, 0, "USD");
  put();
  EXPECT_EQ(rows.size(), 0U);
  add(again, 1, "EUR");
  add(again, 0, "USD");
  EXPECT_EQ(value("a", "EUR"), 4);
  EXPECT_EQ(value("b", "USD"), 2);
  // Another numbering, in which they have each other's numbers.
  auto more = test::entry_of({test::account_stream("b"), test::account_stream("a")});
  eventstore::StreamNumbers others;
  others.number(more);
  add(more, 0, "EUR");
  add(more, 1, "EUR");
  EXPECT_EQ(value("b", "EUR"), 2);
  EXPECT_EQ(value("a", "EUR"), 5);
}

TEST(RowCacheTest, a_row_that_came_and_went_within_a_batch_leaves_no_trace) {
  MemoryKv store(1);
  RowCache<Number> rows(store, 0);
  (*rows.edit("a"))->emplace();
  (*rows.edit("a"))->reset();
  KvBatch batch;
  rows.finish(batch);
  EXPECT_TRUE(batch.empty());
}

TEST(RowCacheTest, a_stored_row_is_read_and_erased) {
  MemoryKv store(1);
  KvBatch stored;
  stored.put(0, "a", "41");
  ASSERT_TRUE(store.write(stored).ok());
  RowCache<Number> rows(store, 0);
  EXPECT_EQ((**rows.read("a"))->value, 41);
  (*rows.edit("a"))->reset();
  KvBatch batch;
  rows.finish(batch);
  ASSERT_EQ(batch.operations().size(), 1U);
  EXPECT_EQ(batch.operations()[0].value, std::nullopt);
}

TEST(RowCacheTest, it_is_emptied_above_its_bounds) {
  MemoryKv store(1);
  RowCache<Number> by_rows(store, 0, 2);
  RowCache<Number> by_bytes(store, 0, 100, 4);
  for (const char* key : {"a", "b", "c"}) {
    (*by_rows.edit(key))->emplace();
    (*by_bytes.edit(key))->emplace();
  }
  EXPECT_EQ(by_rows.size(), 3U);
  KvBatch batch;
  by_rows.finish(batch);
  by_bytes.finish(batch);
  EXPECT_EQ(by_rows.size(), 0U);
  EXPECT_EQ(by_bytes.size(), 0U);
}

TEST(RowCacheTest, a_row_that_cannot_be_read_is_corrupt) {
  MemoryKv store(1);
  KvBatch stored;
  stored.put(0, "a", "-1");
  ASSERT_TRUE(store.write(stored).ok());
  RowCache<Number> rows(store, 0);
  EXPECT_EQ(rows.edit("a").status().code(), StatusCode::kCorrupt);
}

}  // namespace
}  // namespace daybook::projections
