#include "projections/private_follower.h"

#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "domain/base/random.h"
#include "eventstore/event_codec.h"
#include "eventstore/fake_log.h"
#include "eventstore/memory_kv.h"
#include "tests/projections/history.h"

namespace daybook::projections {
namespace {

using domain::PrivateValue;
using eventstore::FakeLog;
using eventstore::KvBatch;
using eventstore::MemoryKv;
using eventstore::PrivateStore;
using eventstore::Table;

/// Other bytes at every call.
class CountingRandom final : public Random {
 public:
  std::string bytes(std::size_t count) const override {
    std::string out(count, '\0');
    for (char& byte : out) byte = static_cast<char>(++state_ * 37 >> 3);
    out.replace(0, sizeof(state_), reinterpret_cast<const char*>(&state_), sizeof(state_));
    return out;
  }

 private:
  mutable std::uint64_t state_ = 0;
};

/// Every write is synced, as in `private/`, until the store fails at the step that is wanted.
class DurableKv final : public eventstore::KvStore {
 public:
  explicit DurableKv(MemoryKv& rows, int steps = INT32_MAX) : rows_(rows), steps_(steps) {}

  Status write(const KvBatch& batch) override {
    if (!step()) return io_error("no more");
    Status status = rows_.write(batch);
    return status.ok() ? rows_.flush() : status;
  }
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    return rows_.get(table, key);
  }
  std::unique_ptr<eventstore::KvReader> snapshot() const override { return rows_.snapshot(); }
  Status flush() override { return rows_.flush(); }
  Status clear(Table table) override { return step() ? rows_.clear(table) : io_error("no more"); }
  Status purge(Table table) override {
    if (!step()) return io_error("no more");
    {
      const std::lock_guard lock(mutex_);
      ++purges_;
    }
    return rows_.purge(table);
  }
  int purges() const {
    const std::lock_guard lock(mutex_);
    return purges_;
  }

 private:
  bool step() {
    const std::lock_guard lock(mutex_);
    return steps_-- > 0;
  }

  MemoryKv& rows_;
  mutable std::mutex mutex_;
  int steps_;
  int purges_ = 0;
};

class PrivateFollowerTest : public testing::Test {
 protected:
  /// The store and its follower as a process would hold them.
  struct Process {
    Process(PrivateFollowerTest& test, int steps = INT32_MAX)
        : kv(*test.rows_, steps),
          store(kv, test.random_),
          follower(*test.log_, store, test.clock_, test.limits_) {}
    DurableKv kv;
    PrivateStore store;
    PrivateFollower follower;
  };

  void SetUp() override { begin(); }
  void begin() {
    log_ = std::make_unique<FakeLog>();
    rows_ = std::make_unique<MemoryKv>(PrivateStore::table_names().size());
    versions_.clear();
  }

  PrivateValue put(Process& process, const std::string& account, const std::string& value) {
    auto name = process.store.put(kTenant, AccountId(account), value);
    EXPECT_TRUE(name.ok());
    return *name;
  }
  bool has(Process& process, const std::string& account, const PrivateValue& name) {
    const auto value = process.store.get(kTenant, AccountId(account), name);
    EXPECT_TRUE(value.ok());
    return value->has_value();
  }

  /// Appends one entry with one event; returns its position.
  std::uint64_t record(const std::string& account, domain::Event body) {
    const auto head = log_->head();
    domain::RecordedEvent event;
    event.stream = domain::StreamId::account(kTenant, AccountId(account));
    event.version = ++versions_[account];
    event.recorded_at = event.effective_at = {static_cast<std::int64_t>(head.next_position) + 1};
    event.event = std::move(body);
    last_ = {};
    last_.entry_no = head.entry_count;
    last_.base_position = head.next_position;
    last_.count = 1;
    last_.first_recorded_at = last_.last_recorded_at = event.recorded_at;
    last_.prev_chain = head.chain;
    eventstore::append_event_bytes(last_.body, eventstore::encode_event(event));
    EXPECT_EQ(log_->append(last_), eventstore::AppendOutcome::kCommitted);
    return head.next_position;
  }
  std::uint64_t tag(const std::string& account, const PrivateValue& value) {
    return record(account, domain::TagSet{{}, "contact", "v", value, {}});
  }
  std::uint64_t erase(const std::string& account) {
    return record(account, domain::PrivateDataErased{});
  }
  void tell(Process& process) { process.follower.committed(last_, true); }

  bool wait(Process& process, std::uint64_t position) {
    std::promise<bool> done;
    const bool waits = process.follower.when_applied(
        position, 60'000'000, [&done](bool reached) { done.set_value(reached); });
    return waits && done.get_future().get();
  }
  std::size_t pending(Process& process) { return process.store.pending(100)->size(); }

  inline static const TenantId kTenant{"north"};
  std::unique_ptr<FakeLog> log_;
  std::unique_ptr<MemoryKv> rows_;
  CountingRandom random_;
  FixedClock clock_;
  PrivateFollowerLimits limits_;
  std::map<std::string, std::uint64_t> versions_;
  eventstore::Entry last_;
};

TEST_F(PrivateFollowerTest, an_erasure_takes_what_was_named_before_it_and_nothing_newer) {
  Process process(*this);
  ASSERT_TRUE(process.follower.open().ok());
  process.follower.start();
  const auto old_value = put(process, "a", "old");
  const auto other = put(process, "ab", "of another account");
  tag("a", old_value);
  tell(process);
  tag("ab", other);
  tell(process);
  // Put before the erasure, named after it.
  const auto newer = put(process, "a", "newer");
  const auto position = erase("a");
  tell(process);
  ASSERT_TRUE(wait(process, position + 1));
  EXPECT_FALSE(has(process, "a", old_value));
  EXPECT_TRUE(has(process, "a", newer));
  EXPECT_TRUE(has(process, "ab", other));
  EXPECT_EQ(process.kv.purges(), 1);
  tag("a", newer);
  tell(process);
  EXPECT_TRUE(process.follower.stop().ok());
  EXPECT_EQ(pending(process), 0u);
  // The same erasure waited for again, as a retry does, changes nothing.
  EXPECT_TRUE(wait(process, position + 1));
  EXPECT_TRUE(has(process, "a", newer));
}

TEST_F(PrivateFollowerTest, reading_the_whole_log_again_erases_nothing_newer) {
  PrivateValue old_value;
  PrivateValue newer;
  {
    Process process(*this);
    old_value = put(process, "a", "old");
    newer = put(process, "a", "newer");
    tag("a", old_value);
    erase("a");
    tag("a", newer);
  }
  // A store from a backup does not say how far it has the log.
  for (int i = 0; i < 2; ++i) {
    Process process(*this);
    ASSERT_TRUE(process.store.begin_anew().ok());
    ASSERT_TRUE(process.follower.open().ok());
    EXPECT_FALSE(has(process, "a", old_value));
    EXPECT_TRUE(has(process, "a", newer));
  }
}

TEST_F(PrivateFollowerTest, wherever_a_crash_cuts_an_erasure_short_the_next_opening_ends_it) {
  bool was_cut_short = true;
  int steps = 0;
  for (; was_cut_short; ++steps) {
    begin();
    PrivateValue old_value;
    PrivateValue newer;
    {
      // Dies before anything of the log is applied.
      Process process(*this);
      ASSERT_TRUE(process.follower.open().ok());
      old_value = put(process, "a", "old");
      newer = put(process, "a", "newer");
      tag("a", old_value);
      erase("a");
      tag("a", newer);
    }
    int purges = 0;
    {
      Process cut(*this, steps);
      was_cut_short = !cut.follower.open().ok();
      purges = cut.kv.purges();
    }
    Process process(*this);
    ASSERT_TRUE(process.follower.open().ok()) << steps;
    EXPECT_FALSE(has(process, "a", old_value)) << steps;
    EXPECT_TRUE(has(process, "a", newer)) << steps;
    EXPECT_GE(purges + process.kv.purges(), 1) << steps;
    EXPECT_EQ(*process.store.applied(), log_->head().next_position) << steps;
  }
  EXPECT_GT(steps, 3);
}

TEST_F(PrivateFollowerTest, values_that_no_event_names_go_at_the_next_opening) {
  PrivateValue orphan;
  PrivateValue named;
  {
    Process process(*this);
    ASSERT_TRUE(process.follower.open().ok());
    orphan = put(process, "a", "its command never came");
    named = put(process, "a", "named");
    tag("a", named);
  }
  Process process(*this);
  ASSERT_TRUE(process.follower.open().ok());
  EXPECT_FALSE(has(process, "a", orphan));
  EXPECT_TRUE(has(process, "a", named));
  EXPECT_EQ(process.kv.purges(), 1);
  EXPECT_EQ(pending(process), 0u);
}

TEST_F(PrivateFollowerTest, a_discarded_value_is_removed_and_its_mark_stays_until_a_purge) {
  PrivateValue value;
  {
    Process process(*this);
    ASSERT_TRUE(process.follower.open().ok());
    process.follower.start();
    value = put(process, "a", "refused");
    process.follower.discard(kTenant, AccountId("a"), value);
    EXPECT_TRUE(process.follower.stop().ok());
    EXPECT_FALSE(has(process, "a", value));
    EXPECT_EQ(process.kv.purges(), 0);
    EXPECT_EQ(pending(process), 1u);
  }
  Process process(*this);
  ASSERT_TRUE(process.follower.open().ok());
  EXPECT_EQ(process.kv.purges(), 1);
  EXPECT_EQ(pending(process), 0u);
}

TEST_F(PrivateFollowerTest, discarded_values_are_purged_in_the_end_without_any_erasure) {
  limits_.purge_micros = 0;
  Process process(*this);
  ASSERT_TRUE(process.follower.open().ok());
  process.follower.start();
  process.follower.discard(kTenant, AccountId("a"), put(process, "a", "refused"));
  EXPECT_TRUE(process.follower.stop().ok());
  EXPECT_EQ(process.kv.purges(), 1);
  EXPECT_EQ(pending(process), 0u);
}

TEST_F(PrivateFollowerTest, a_store_that_has_seen_more_than_the_log_is_refused) {
  Process process(*this);
  ASSERT_TRUE(process.store.set_applied(5).ok());
  erase("a");
  const Status status = process.follower.open();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find("rolled back"), std::string::npos);
}

TEST_F(PrivateFollowerTest, an_erasure_that_the_store_refuses_is_not_reported_as_done) {
  {
    Process process(*this);
    ASSERT_TRUE(process.follower.open().ok());
    tag("a", put(process, "a", "old"));
  }
  Process process(*this, 2);  // What opening takes.
  ASSERT_TRUE(process.follower.open().ok());
  process.follower.start();
  const auto position = erase("a");
  tell(process);
  EXPECT_FALSE(wait(process, position + 1));
  EXPECT_FALSE(process.follower.stop().ok());
}

TEST_F(PrivateFollowerTest, a_wall_clock_that_steps_neither_ends_a_wait_nor_makes_it_longer) {
  clock_.micros = 20 * kHour;
  Process process(*this);
  ASSERT_TRUE(process.follower.open().ok());
  process.follower.start();
  std::promise<bool> outcome;
  auto told = outcome.get_future();
  ASSERT_TRUE(process.follower.when_applied(
      1'000, 1'000, [&outcome](bool reached) { outcome.set_value(reached); }));
  clock_.micros = 21 * kHour;
  // Twice around: it lets go of those whose time is up after each.
  for (int i = 0; i < 2; ++i) {
    const auto position = erase("a");
    tell(process);
    ASSERT_TRUE(wait(process, position + 1));
  }
  EXPECT_EQ(told.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  clock_.micros = 10 * kHour;
  clock_.steady_micros = 1'000;
  ASSERT_EQ(told.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_FALSE(told.get());
}

TEST_F(PrivateFollowerTest, an_entry_that_cannot_be_read_stops_it_and_it_says_so) {
  Process process(*this);
  ASSERT_TRUE(process.follower.open().ok());
  process.follower.start();
  EXPECT_TRUE(process.follower.status().ok());
  erase("a");
  const auto head = log_->head();
  last_.entry_no = head.entry_count;
  last_.base_position = head.next_position;
  last_.prev_chain = head.chain;
  last_.body.clear();
  eventstore::append_event_bytes(last_.body, "not an event");
  ASSERT_EQ(log_->append(last_), eventstore::AppendOutcome::kCommitted);
  tell(process);
  EXPECT_FALSE(wait(process, log_->head().next_position));
  EXPECT_EQ(process.follower.status().code(), StatusCode::kCorrupt);
  EXPECT_FALSE(process.follower.stop().ok());
}

TEST_F(PrivateFollowerTest, a_stop_keeps_how_far_it_came_so_that_little_is_read_again) {
  Process process(*this);
  ASSERT_TRUE(process.follower.open().ok());
  process.follower.start();
  record("a", domain::AccountFrozen{});
  process.follower.committed(last_, false);
  EXPECT_TRUE(process.follower.stop().ok());
  EXPECT_EQ(*process.store.applied(), 1u);
}

}  // namespace
}  // namespace daybook::projections
