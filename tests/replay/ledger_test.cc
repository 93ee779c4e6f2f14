#include "eventstore/ledger.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "domain/posting_rules.h"
#include "eventstore/fake_log.h"
#include "eventstore/memory_kv.h"
#include "eventstore/system_ports.h"
#include "projections/all_projections.h"
#include "projections/projector.h"
#include "projections/tables.h"

/// The write side with its real threads, over a log and a store in memory: what the sanitizers look
/// at for races, and what no single-threaded test can show.
namespace daybook::eventstore {
namespace {

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest()
      : rows_(projections::kTableCount),
        index_(rows_, log_,
               {projections::kKeysTable, projections::kStreamsTable, projections::kStatesTable}),
        projector_(log_, rows_, clock_, projections::all_projections(rows_)) {
    projector_.on_applied([this](std::uint64_t position) {
      index_.publish(position);
      if (ledger_ != nullptr) ledger_->indexed(position);
    });
    EXPECT_TRUE(projector_.run_once().ok());
    LedgerLimits limits;
    limits.sequencer.window_slack_events = 16;
    limits.sequencer.resident_streams_max = 4;
    ledger_ = std::make_unique<Ledger>(log_, index_, clock_, limits);
    ledger_->on_commit([this](const Entry&) { projector_.notify(); });
    projector_.start();
  }
  ~LedgerTest() override {
    ledger_->stop();
    EXPECT_TRUE(projector_.stop().ok());
  }

  static domain::Money usd(std::string_view text) {
    return {*domain::parse_amount(text), *domain::Currency::parse("USD")};
  }
  static Command command(const std::string& account, domain::AccountCommand body, std::string key) {
    Command made;
    made.tenant = TenantId("main");
    made.account = AccountId(account);
    made.body = std::move(body);
    made.actor = "test";
    made.idempotency_key = std::move(key);
    made.fingerprint = 7;
    return made;
  }
  /// Sends it until it is taken: with so few states in memory, look-ups may be too old for long.
  Answer run(const Command& made) {
    while (true) {
      std::promise<Answer> done;
      ledger_->submit(made, [&done](Answer answer) { done.set_value(std::move(answer)); });
      Answer answer = done.get_future().get();
      if (answer.kind != AnswerKind::kOverloaded) return answer;
    }
  }

  FakeLog log_;
  MemoryKv rows_;
  SystemClock clock_;
  LogIndex index_;
  projections::Projector projector_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerTest, eight_threads_charge_eight_accounts_and_every_cent_is_there) {
  constexpr int kThreads = 8;
  constexpr int kCharges = 200;
  for (int i = 0; i < kThreads; ++i) {
    const auto opened =
        run(command("a" + std::to_string(i),
                    domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open"));
    ASSERT_EQ(opened.kind, AnswerKind::kRecorded);
  }
  std::atomic<int> recorded{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kCharges; ++i) {
        domain::PostCharge charge;
        charge.amount = usd("0.01");
        charge.enforce = domain::Enforcement::kRecord;
        const std::string account = "a" + std::to_string((thread + i) % kThreads);
        const std::string key = std::to_string(thread) + "-" + std::to_string(i);
        if (run(command(account, charge, key)).kind == AnswerKind::kRecorded) ++recorded;
        // The same again: one effect.
        EXPECT_EQ(run(command(account, charge, key)).kind, AnswerKind::kReplayed);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(recorded, kThreads * kCharges);
  ledger_->stop();
  // Stopping the projector is no promise that it has caught up.
  while (projector_.applied() < log_.head().next_position) std::this_thread::yield();
  ASSERT_TRUE(projector_.stop().ok());
  domain::Amount sum;
  for (int i = 0; i < kThreads; ++i) {
    const auto state = index_.account_state(TenantId("main"), AccountId("a" + std::to_string(i)));
    ASSERT_TRUE(state.ok());
    sum = *checked_add(sum, balance_of(*state, *domain::Currency::parse("USD")).balance);
  }
  EXPECT_EQ(to_text(sum, 2), "-16.00");
}

TEST_F(LedgerTest, a_duplicate_that_races_the_first_gets_its_answer) {
  ASSERT_EQ(
      run(command("a", domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open")).kind,
      AnswerKind::kRecorded);
  std::atomic<int> recorded{0};
  std::atomic<int> replayed{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&] {
      domain::TopUp top_up;
      top_up.amount = usd("50");
      const auto answer = run(command("a", top_up, "callback"));
      if (answer.kind == AnswerKind::kRecorded) ++recorded;
      if (answer.kind == AnswerKind::kReplayed) ++replayed;
      EXPECT_EQ(answer.event->position, 1U);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(recorded, 1);
  EXPECT_EQ(replayed, 7);
}

TEST_F(LedgerTest, after_the_store_failed_nothing_runs_in_circles) {
  log_.script(0, FakeLog::Fault::kLoseEntry);
  const domain::OpenAccount open{*domain::Currency::parse("USD"), {}, {}};
  EXPECT_EQ(run(command("a", open, "open")).kind, AnswerKind::kUnknown);
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 5);
  EXPECT_EQ(run(command("a", open, "open")).kind, AnswerKind::kUnknown);
  EXPECT_FALSE(ledger_->close(clock_.now()).ok());
}

/// A store whose rows one thread waits for.
class GatedKv final : public KvStore {
 public:
  explicit GatedKv(std::size_t tables) : kv_(tables) {}

  /// From now on the calling thread waits at its next get().
  void close_for_this_thread() {
    const std::lock_guard lock(mutex_);
    waits_ = std::this_thread::get_id();
  }
  void wait_until_somebody_waits() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_waiting_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    waits_ = {};
    changed_.notify_all();
  }

  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    {
      std::unique_lock lock(mutex_);
      is_waiting_ = is_waiting_ || waits_ == std::this_thread::get_id();
      changed_.notify_all();
      changed_.wait(lock, [&] { return waits_ != std::this_thread::get_id(); });
    }
    return kv_.get(table, key);
  }
  Status write(const KvBatch& batch) override { return kv_.write(batch); }
  std::unique_ptr<KvReader> snapshot() const override { return kv_.snapshot(); }
  Status flush() override { return kv_.flush(); }
  Status clear(Table table) override { return kv_.clear(table); }
  Status purge(Table table) override { return kv_.purge(table); }

 private:
  MemoryKv kv_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool is_waiting_ = false;
  std::thread::id waits_;
};

/// A ledger whose index the test drives by hand: a capture of a hold that is not indexed is parked,
/// and then its second look-up takes its time.
class ParkedCommandTest : public ::testing::Test {
 protected:
  ParkedCommandTest()
      : rows_(projections::kTableCount),
        index_(rows_, log_,
               {projections::kKeysTable, projections::kStreamsTable, projections::kStatesTable}),
        projector_(log_, rows_, clock_, projections::all_projections(rows_)) {
    EXPECT_TRUE(projector_.run_once().ok());
    ledger_ = std::make_unique<Ledger>(log_, index_, clock_, LedgerLimits());
    const domain::Money ten{*domain::parse_amount("10"), *domain::Currency::parse("USD")};
    submit("a", domain::OpenAccount{ten.currency, {}, {}}).get();
    submit("a", domain::TopUp{ten, {}, {}, {}}).get();
    submit("a", domain::PlaceHold{ten, {}, {}, {}}).get();
    capture_ = submit("a", domain::CaptureHold{{3}, {}, {}});
    while (ledger_->load().parked == 0) std::this_thread::yield();
    indexer_ = std::thread([this] {
      EXPECT_TRUE(projector_.run_once().ok());
      index_.publish(projector_.applied());
      rows_.close_for_this_thread();
      ledger_->indexed(projector_.applied());
    });
    rows_.wait_until_somebody_waits();
  }
  ~ParkedCommandTest() override {
    rows_.open();
    if (indexer_.joinable()) indexer_.join();
    ledger_->stop();
    EXPECT_TRUE(projector_.stop().ok());
  }

  std::future<Answer> submit(const std::string& account, domain::AccountCommand body) {
    Command made;
    made.tenant = TenantId("main");
    made.account = AccountId(account);
    made.body = std::move(body);
    made.actor = "test";
    auto done = std::make_shared<std::promise<Answer>>();
    auto answer = done->get_future();
    ledger_->submit(std::move(made), [done](Answer given) { done->set_value(std::move(given)); });
    return answer;
  }
  static bool is_ready(std::future<Answer>& answer) {
    return answer.wait_for(std::chrono::milliseconds(100)) == std::future_status::ready;
  }

  FakeLog log_;
  GatedKv rows_;
  SystemClock clock_;
  LogIndex index_;
  projections::Projector projector_;
  std::unique_ptr<Ledger> ledger_;
  std::future<Answer> capture_;
  std::thread indexer_;
};

TEST_F(ParkedCommandTest, what_comes_later_on_its_account_does_not_overtake_it) {
  submit("b", domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}).get();
  auto later = submit("a", domain::NoteUsage{{}, {}, {}});
  EXPECT_FALSE(is_ready(later));
  rows_.open();
  indexer_.join();
  EXPECT_EQ(capture_.get().event->event.version, 4U);
  // It waits for the index in turn.
  EXPECT_TRUE(projector_.run_once().ok());
  index_.publish(projector_.applied());
  ledger_->indexed(projector_.applied());
  EXPECT_EQ(later.get().event->event.version, 5U);
}

TEST_F(ParkedCommandTest, stopping_answers_it_too) {
  std::thread stopper([this] { ledger_->stop(); });
  EXPECT_FALSE(is_ready(capture_));
  rows_.open();
  EXPECT_TRUE(is_ready(capture_));
  indexer_.join();
  stopper.join();
  EXPECT_EQ(capture_.get().kind, AnswerKind::kRecorded);
}

TEST_F(LedgerTest, nothing_is_recorded_at_or_before_a_closed_moment) {
  ASSERT_EQ(
      run(command("a", domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open")).kind,
      AnswerKind::kRecorded);
  const Instant closed{clock_.now().micros + 200'000};
  const auto end = ledger_->close(closed);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(*end, 1U);
  domain::TopUp top_up;
  top_up.amount = usd("1");
  const auto answer = run(command("a", top_up, "later"));
  EXPECT_GT(answer.event->event.recorded_at, closed);
}

}  // namespace
}  // namespace daybook::eventstore
