#include "eventstore/ledger.h"

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "domain/posting_rules.h"
#include "eventstore/fake_log.h"
#include "eventstore/memory_kv.h"
#include "eventstore/system_ports.h"
#include "projections/projector.h"
#include "projections/tables.h"
#include "replay/ledger_files.h"

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
        projector_(log_, rows_, clock_, replay::all_projections(rows_)) {
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
  Answer run(Command made) {
    std::promise<Answer> done;
    ledger_->submit(std::move(made), [&done](Answer answer) { done.set_value(std::move(answer)); });
    return done.get_future().get();
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
  ASSERT_TRUE(projector_.stop().ok());
  // However busy the machine is: the thread ends after its batch, wherever that was.
  ASSERT_TRUE(projector_.run_once().ok());
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

TEST_F(LedgerTest, nothing_is_recorded_at_or_before_a_closed_moment) {
  ASSERT_EQ(
      run(command("a", domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open")).kind,
      AnswerKind::kRecorded);
  const Instant closed{clock_.now().micros + 200'000};
  EXPECT_EQ(ledger_->close(closed), 1U);
  domain::TopUp top_up;
  top_up.amount = usd("1");
  const auto answer = run(command("a", top_up, "later"));
  EXPECT_GT(answer.event->event.recorded_at, closed);
}

TEST_F(LedgerTest, a_look_up_that_fails_is_not_begun_and_says_why) {
  Status cause;
  ledger_->on_look_up_failure([&cause](const Status& status) { cause = status; });
  KvBatch batch;
  const auto stream = domain::StreamId::account(TenantId("main"), AccountId("a"));
  batch.put(projections::kStatesTable, latest_state_key(stream), "no state");
  ASSERT_TRUE(rows_.write(batch).ok());
  domain::TopUp top_up;
  top_up.amount = usd("1");
  EXPECT_EQ(run(command("a", top_up, "k")).kind, AnswerKind::kOverloaded);
  EXPECT_EQ(cause.code(), StatusCode::kCorrupt) << cause.message();
  EXPECT_EQ(log_.head().next_position, 0U);
}

}  // namespace
}  // namespace daybook::eventstore
