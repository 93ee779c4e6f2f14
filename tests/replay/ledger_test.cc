#include "eventstore/ledger.h"

#include <atomic>
#include <chrono>
#include <ctime>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "domain/posting_rules.h"
#include "eventstore/fake_log.h"
#include "eventstore/memory_kv.h"
#include "eventstore/stream_key.h"
#include "eventstore/system_ports.h"
#include "projections/all_projections.h"
#include "projections/projector.h"
#include "projections/tables.h"

/// The write side with its real threads, over a log and a store in memory: what the sanitizers look
/// at for races, and what no single-threaded test can show.
namespace daybook::eventstore {
namespace {

/// Answers in the order of their submission: all recorded, at versions that only grow.
void expect_in_order(std::vector<std::future<Answer>>& answers, const std::string& what) {
  std::uint64_t version = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer answer = answers[i].get();
    ASSERT_EQ(answer.kind, AnswerKind::kRecorded) << what << ", command " << i;
    ASSERT_GT(answer.event->event.version, version) << what << ", command " << i;
    version = answer.event->event.version;
  }
}

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest()
      : rows_(projections::kTableCount),
        index_(rows_, log_,
               {projections::kKeysTable, projections::kStreamsTable, projections::kStatesTable}),
        projector_(log_, rows_, clock_, projections::all_projections(rows_), at_once()) {
    projector_.on_applied([this](std::uint64_t position) {
      index_.publish(position);
      if (ledger_ != nullptr) ledger_->indexed(position);
    });
    EXPECT_TRUE(projector_.run_once().ok());
    open(limits());
    projector_.start();
  }
  /// The index moves all the time.
  static projections::ProjectorLimits at_once() {
    projections::ProjectorLimits limits;
    limits.gather_micros = 0;
    return limits;
  }
  static LedgerLimits limits() {
    LedgerLimits limits;
    limits.sequencer.window_slack_events = 16;
    limits.sequencer.resident_streams_max = 4;
    return limits;
  }
  void open(const LedgerLimits& limits) {
    ledger_ = std::make_unique<Ledger>(log_, index_, clock_, limits);
    ledger_->on_commit([this](const Entry&) { projector_.notify(); });
    ledger_->on_index_wanted([this] { projector_.hurry(); });
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

  std::future<Answer> submit(Command made) {
    auto done = std::make_shared<std::promise<Answer>>();
    auto answer = done->get_future();
    ledger_->submit(std::move(made), [done](Answer given) { done->set_value(std::move(given)); });
    return answer;
  }
  std::vector<std::future<Answer>> submit_together(std::vector<Command> commands) {
    std::vector<std::future<Answer>> answers;
    std::vector<Submission> submissions;
    for (Command& each : commands) {
      auto done = std::make_shared<std::promise<Answer>>();
      answers.push_back(done->get_future());
      submissions.push_back(
          {std::move(each), [done](Answer given) { done->set_value(std::move(given)); }, {}});
    }
    ledger_->submit(std::move(submissions));
    return answers;
  }
  void open_account(const std::string& account) {
    const auto answer =
        run(command(account, domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open"));
    ASSERT_EQ(answer.kind, AnswerKind::kRecorded);
  }
  /// A command that waits for the index for as long as that stands still: a retry that says
  /// something else than what it repeats. Its account is `account`.
  Command waits_for_the_index(const std::string& account) {
    open_account(account);
    const domain::TopUp payment{usd("1"), "stripe", "p-" + account, {}};
    EXPECT_EQ(run(command(account, payment, "k1")).kind, AnswerKind::kRecorded);
    while (index_.applied() < ledger_->committed()) std::this_thread::yield();
    EXPECT_TRUE(projector_.stop().ok());
    EXPECT_EQ(run(command(account, payment, "k2")).kind, AnswerKind::kReplayed);
    return command(account, domain::SetTag{{}, "a", "b", {}}, "k2");
  }

  /// Opens the ledger anew with a log that does not say that its first entry is durable before it
  /// is let go.
  class LogHold {
   public:
    LogHold(LedgerTest& test, const LedgerLimits& limits) : test_(test) {
      test.ledger_->stop();
      // What an opening asks for; and the projector has told the ledger before that one goes.
      std::promise<bool> applied;
      const bool waits =
          test.projector_.when_applied(test.ledger_->committed(), 60'000'000,
                                       [&applied](bool done) { applied.set_value(done); });
      EXPECT_TRUE(waits && applied.get_future().get());
      test.open(limits);
      test.ledger_->on_commit([this, &test](const Entry&) {
        std::call_once(first_, [this] {
          writing_.set_value();
          released_.get_future().wait();
        });
        test.projector_.notify();
      });
    }
    ~LogHold() { test_.ledger_->stop(); }
    LogHold(const LogHold&) = delete;
    LogHold& operator=(const LogHold&) = delete;

    void wait() { writing_.get_future().wait(); }
    void release() { released_.set_value(); }

   private:
    LedgerTest& test_;
    std::promise<void> writing_;
    std::promise<void> released_;
    std::once_flag first_;
  };

  /// Submits 60 commands while the log is never free: without an end to the gathering they would
  /// fill the queue.
  void fill_while_the_log_writes(const LedgerLimits& narrow) {
    LogHold hold(*this, narrow);
    std::vector<std::future<Answer>> answers;
    answers.push_back(
        submit(command("a", domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open")));
    hold.wait();
    const domain::TopUp large{usd("1"), {}, {}, std::string(4'000, 'd')};
    const auto is_too_many = [this] { return ledger_->load().queued >= 14; };
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (int i = 0; i < 60 && !HasFailure(); ++i) {
      answers.push_back(submit(command("a", large, std::to_string(i))));
      while (is_too_many() && std::chrono::steady_clock::now() < patience) {
        std::this_thread::yield();
      }
      EXPECT_FALSE(is_too_many()) << "command " << i;
    }
    hold.release();
    expect_in_order(answers, "all");
  }

  FakeLog log_;
  MemoryKv rows_;
  SystemClock clock_;
  LogIndex index_;
  projections::Projector projector_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerTest, what_is_submitted_together_is_decided_together) {
  open_account("a");
  const std::uint64_t entries = log_.head().entry_count;
  std::vector<Command> commands;
  for (int i = 0; i < 100; ++i) {
    commands.push_back(command("a", domain::TopUp{usd("1"), "stripe", std::to_string(i), {}},
                               "k" + std::to_string(i)));
  }
  auto answers = submit_together(std::move(commands));
  expect_in_order(answers, "top-ups");
  // The log is free all the time.
  EXPECT_EQ(log_.head().entry_count, entries + 1);
}

TEST_F(LedgerTest, of_those_submitted_together_each_is_judged_by_itself) {
  ledger_->stop();
  LedgerLimits small = limits();
  small.queue_commands_max = 8;
  open(small);
  open_account("a");
  // Its thread gives the answer, and decides nothing meanwhile.
  std::promise<void> busy;
  std::promise<void> released;
  ledger_->submit(command("a", domain::TopUp{usd("1"), {}, {}, {}}, "busy"), [&](const Answer&) {
    busy.set_value();
    released.get_future().wait();
  });
  busy.get_future().wait();
  std::vector<Command> commands;
  for (int i = 0; i < 20; ++i) {
    commands.push_back(command("a", domain::TopUp{usd("1"), {}, {}, {}}, std::to_string(i)));
  }
  auto answers = submit_together(std::move(commands));
  for (std::size_t i = 8; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i].wait_for(std::chrono::seconds(0)), std::future_status::ready) << i;
    EXPECT_EQ(answers[i].get().kind, AnswerKind::kOverloaded) << i;
  }
  answers.resize(8);
  released.set_value();
  expect_in_order(answers, "those that had room");
  EXPECT_EQ(ledger_->load().queued, 0U);
}

TEST_F(LedgerTest, what_is_held_back_when_it_would_enter_the_queue_is_not_decided) {
  open_account("a");
  open_account("b");
  std::vector<std::future<Answer>> answers;
  std::vector<Submission> submissions;
  for (const char* account : {"a", "b", "a"}) {
    auto done = std::make_shared<std::promise<Answer>>();
    answers.push_back(done->get_future());
    submissions.push_back(
        {command(account, domain::TopUp{usd("1"), {}, {}, {}}, std::to_string(answers.size())),
         [done](Answer given) { done->set_value(std::move(given)); },
         [account] { return std::string_view(account) == "a"; }});
  }
  ledger_->submit(std::move(submissions));
  EXPECT_EQ(answers[0].get().kind, AnswerKind::kOverloaded);
  EXPECT_EQ(answers[1].get().kind, AnswerKind::kRecorded);
  EXPECT_EQ(answers[2].get().kind, AnswerKind::kOverloaded);
  EXPECT_EQ(ledger_->load().queued, 0U);
}

TEST_F(LedgerTest, a_queue_of_fewer_than_are_gathered_is_decided_before_it_is_full) {
  LedgerLimits narrow = limits();
  narrow.queue_commands_max = 16;
  fill_while_the_log_writes(narrow);
}

TEST_F(LedgerTest, a_queue_of_less_than_is_gathered_is_decided_before_it_is_full) {
  LedgerLimits narrow = limits();
  narrow.queue_bytes_max = 100'000;
  fill_while_the_log_writes(narrow);
}

TEST_F(LedgerTest, what_records_nothing_waits_within_a_bound_while_the_log_stands_still) {
  open_account("a");
  for (const bool by_bytes : {false, true}) {
    LedgerLimits narrow = limits();
    narrow.queue_commands_max = 64;
    narrow.sequencer.waiting_commands_max = by_bytes ? 1'000'000 : 100;
    if (by_bytes) narrow.sequencer.waiting_bytes_max = 60'000;  // Of a replay: above 600.
    LogHold hold(*this, narrow);
    std::vector<std::future<Answer>> answers;
    answers.push_back(submit(
        command("a", domain::TopUp{usd("1"), {}, {}, {}}, by_bytes ? "stands-1" : "stands-2")));
    hold.wait();
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    for (int i = 0; i < 400; ++i) {
      // It could take them all: whoever is refused is so for what waits behind the decision.
      while (ledger_->load().queued >= 32 && std::chrono::steady_clock::now() < patience) {
        std::this_thread::yield();
      }
      answers.push_back(submit(
          command("a", domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open")));
    }
    hold.release();
    std::size_t refused = 0;
    for (std::size_t i = 1; i < answers.size(); ++i) {
      const AnswerKind kind = answers[i].get().kind;
      if (kind == AnswerKind::kOverloaded) {
        ++refused;
      } else {
        EXPECT_EQ(kind, AnswerKind::kReplayed) << i;
      }
    }
    EXPECT_GE(refused, 400U - 100U - 64U);
    EXPECT_EQ(answers[0].get().kind, AnswerKind::kRecorded);
  }
}

TEST_F(LedgerTest, a_decided_command_keeps_nothing_though_its_neighbours_wait) {
  open_account("a");
  LedgerLimits narrow = limits();
  narrow.sequencer.waiting_commands_max = 1;
  LogHold hold(*this, narrow);
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> kept = token;
  std::vector<Submission> submissions;
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 3; ++i) {
    auto done = std::make_shared<std::promise<Answer>>();
    answers.push_back(done->get_future());
    const auto mine = i == 0 ? token : nullptr;
    // The first one is answered at once, the second one fills what may wait, the third one stays.
    submissions.push_back(
        {i == 0 ? command("a", domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open")
                : command("a", domain::TopUp{usd("1"), {}, {}, {}}, std::to_string(i)),
         [done, mine](Answer given) { done->set_value(std::move(given)); },
         {}});
  }
  token.reset();
  ledger_->submit(std::exchange(submissions, {}));
  hold.wait();
  EXPECT_EQ(answers[0].get().kind, AnswerKind::kReplayed);
  EXPECT_EQ(ledger_->load().queued, 1U);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!kept.expired() && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  EXPECT_TRUE(kept.expired());
  hold.release();
  for (std::size_t i = 1; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].get().kind, AnswerKind::kRecorded);
  }
}

TEST_F(LedgerTest, it_takes_commands_until_it_stops_or_fails) {
  EXPECT_TRUE(ledger_->takes_commands());
  ledger_->stop();
  EXPECT_FALSE(ledger_->takes_commands());
  open(limits());
  EXPECT_TRUE(ledger_->takes_commands());
  log_.script(0, FakeLog::Fault::kLoseEntry);
  EXPECT_EQ(
      run(command("a", domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "k")).kind,
      AnswerKind::kUnknown);
  EXPECT_FALSE(ledger_->takes_commands());
}

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
  // Stopping the projector ends it where it is.
  std::promise<bool> applied;
  const bool waits = projector_.when_applied(
      ledger_->committed(), INT64_MAX, [&applied](bool reached) { applied.set_value(reached); });
  ASSERT_TRUE(waits && applied.get_future().get());
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
  const auto end = ledger_->close(closed);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(*end, 1U);
  domain::TopUp top_up;
  top_up.amount = usd("1");
  const auto answer = run(command("a", top_up, "later"));
  EXPECT_GT(answer.event->event.recorded_at, closed);
}

// --- Order

domain::PostCharge charge_of(domain::Money amount, domain::Enforcement enforce) {
  domain::PostCharge charge;
  charge.amount = amount;
  charge.enforce = enforce;
  return charge;
}

TEST_F(LedgerTest, a_charge_after_refunds_finds_the_money_that_they_gave_back) {
  for (int round = 0; round < 40; ++round) {
    const std::string account = "a" + std::to_string(round);
    open_account(account);
    run(command(account, domain::TopUp{usd("30"), {}, {}, {}}, "top-up"));
    const auto charged =
        run(command(account, charge_of(usd("30"), domain::Enforcement::kStrict), "charge"));
    std::vector<std::future<Answer>> answers;
    for (int i = 0; i < 6; ++i) {
      answers.push_back(submit(
          command(account, domain::RefundCharge{{charged.event->event.version}, usd("5"), "part"},
                  "r" + std::to_string(i))));
    }
    auto last = submit(command(account, charge_of(usd("30"), domain::Enforcement::kStrict), "all"));
    expect_in_order(answers, account);
    const Answer answer = last.get();
    ASSERT_EQ(answer.kind, AnswerKind::kRecorded);
    EXPECT_TRUE(std::holds_alternative<domain::ChargePosted>(answer.event->event.event));
  }
}

TEST_F(LedgerTest, hundreds_of_refunds_of_one_charge_are_all_recorded) {
  open_account("a");
  const auto charged =
      run(command("a", charge_of(usd("5"), domain::Enforcement::kRecord), "charge"));
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 500; ++i) {
    answers.push_back(
        submit(command("a", domain::RefundCharge{{charged.event->event.version}, usd("0.01"), "x"},
                       "r" + std::to_string(i))));
  }
  expect_in_order(answers, "refunds");
}

/// What one client sends for its account without waiting for answers. Each names events that it has
/// just asked for, at the versions that they get if the order holds.
std::vector<domain::AccountCommand> burst(std::mt19937_64& random, std::uint64_t version) {
  const auto usd = [](std::string_view text) {
    return domain::Money{*domain::parse_amount(text), *domain::Currency::parse("USD")};
  };
  std::vector<domain::AccountCommand> commands;
  const auto next = [&] { return version + 1 + commands.size(); };
  while (commands.size() < 60) {
    const std::uint64_t named = next();
    switch (random() % 4) {
      case 0:
        commands.emplace_back(charge_of(usd("0.05"), domain::Enforcement::kRecord));
        commands.emplace_back(domain::RefundCharge{{named}, usd("0.02"), "part"});
        commands.emplace_back(domain::RefundCharge{{named}, {}, "the rest"});
        break;
      case 1:
        commands.emplace_back(domain::TopUp{usd("1"), {}, {}, {}});
        commands.emplace_back(domain::ReverseTopUp{{named}, {}});
        break;
      case 2:
        commands.emplace_back(domain::TopUp{usd("2"), {}, {}, {}});
        commands.emplace_back(domain::PlaceHold{usd("1"), {}, {}, {}});
        commands.emplace_back(domain::CaptureHold{{named + 1}, usd("0.50"), {}});
        commands.emplace_back(domain::RefundCharge{{named + 2}, {}, "all"});
        break;
      default:
        commands.emplace_back(domain::TopUp{usd("1"), {}, {}, {}});
        commands.emplace_back(domain::PlaceHold{usd("1"), {}, {}, {}});
        commands.emplace_back(domain::ReleaseHold{{named + 1}, {}});
    }
  }
  return commands;
}

TEST_F(LedgerTest, each_accounts_commands_are_decided_in_the_order_of_their_submission) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 30;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      std::mt19937_64 random(static_cast<std::uint64_t>(thread));
      // More accounts than may stay in memory, so that look-ups become too old.
      const auto is_enough = [&](int round) {
        return round >= kRounds && (ledger_->load().looked_again > 0 || round >= 50 * kRounds);
      };
      for (int round = 0; !is_enough(round); ++round) {
        const std::string account = std::to_string(thread) + "-" + std::to_string(round % 5);
        std::uint64_t version = 0;
        if (round < 5) {
          open_account(account);
          version = 1;
        } else {
          const auto answer = run(command(account, domain::TopUp{usd("1"), {}, {}, {}},
                                          "first-" + std::to_string(round)));
          ASSERT_EQ(answer.kind, AnswerKind::kRecorded);
          version = answer.event->event.version;
        }
        std::vector<std::future<Answer>> answers;
        for (auto& body : burst(random, version)) {
          answers.push_back(
              submit(command(account, std::move(body),
                             std::to_string(round) + "-" + std::to_string(answers.size()))));
        }
        for (std::size_t i = 0; i < answers.size(); ++i) {
          const Answer answer = answers[i].get();
          ASSERT_EQ(answer.kind, AnswerKind::kRecorded) << account << ", command " << i;
          ASSERT_EQ(answer.event->event.version, version + 1 + i) << account;
          ASSERT_FALSE(std::holds_alternative<domain::CommandRefused>(answer.event->event.event))
              << account << ", command " << i;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(ledger_->load().looked_again, 0U)
      << "nothing had to wait: this tests less than it says";
  EXPECT_EQ(ledger_->load().queued, 0U);
}

// --- Waiting has an end

TEST_F(LedgerTest, who_waits_for_an_index_that_has_stopped_is_answered) {
  auto waiting = submit(waits_for_the_index("a"));
  auto behind = submit(command("a", domain::TopUp{usd("1"), {}, {}, {}}, "k3"));
  // Other accounts do not wait for it.
  open_account("b");
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  ledger_->index_stopped();
  EXPECT_EQ(waiting.get().kind, AnswerKind::kOverloaded);
  EXPECT_EQ(behind.get().kind, AnswerKind::kOverloaded);
  EXPECT_EQ(run(command("a", domain::TopUp{usd("1"), {}, {}, {}}, "k3")).kind,
            AnswerKind::kRecorded);
  EXPECT_EQ(ledger_->load().queued, 0U);
}

TEST_F(LedgerTest, a_small_window_delays_commands_and_never_shuts_them_out) {
  ledger_->stop();
  LedgerLimits narrow;  // What is kept though indexed may be more than this window.
  narrow.window_bytes_max = 4'000;
  open(narrow);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  open_account("a");
  for (int i = 0; i < 200; ++i) {
    const Command made = command("a", domain::TopUp{usd("1"), {}, {}, {}}, "k" + std::to_string(i));
    Answer answer;
    do {
      ASSERT_LT(std::chrono::steady_clock::now(), patience) << i << " were taken";
      answer = submit(made).get();
    } while (answer.kind == AnswerKind::kOverloaded);
    EXPECT_EQ(answer.kind, AnswerKind::kRecorded);
  }
}

TEST_F(LedgerTest, who_still_waits_when_the_ledger_stops_is_answered) {
  auto waiting = submit(waits_for_the_index("a"));
  auto behind = submit(command("a", domain::TopUp{usd("1"), {}, {}, {}}, "k3"));
  ledger_->stop();
  EXPECT_EQ(waiting.get().kind, AnswerKind::kOverloaded);
  EXPECT_EQ(behind.get().kind, AnswerKind::kOverloaded);
}

TEST_F(LedgerTest, who_waits_counts_against_the_bounds_of_the_queue) {
  const Command stuck = waits_for_the_index("a");
  ledger_->stop();
  // The tables lack the last event; as a start would, they catch up.
  while (index_.applied() < ledger_->committed()) {
    projections::Projector again(log_, rows_, clock_, projections::all_projections(rows_));
    ASSERT_TRUE(again.run_once().ok());
    index_.publish(again.applied());
  }
  LedgerLimits limits = LedgerTest::limits();
  limits.queue_bytes_max = 20'000;
  open(limits);
  const domain::TopUp payment{usd("1"), "stripe", "p-a", {}};
  ASSERT_EQ(run(command("a", payment, "k4")).kind, AnswerKind::kReplayed);
  Command retry = stuck;
  retry.idempotency_key = "k4";
  std::vector<std::future<Answer>> waiting;
  waiting.push_back(submit(retry));
  domain::TopUp large{usd("1"), {}, {}, std::string(4'000, 'd')};
  for (int i = 0; i < 20; ++i) waiting.push_back(submit(command("a", large, std::to_string(i))));
  std::size_t refused = 0;
  for (auto& answer : waiting) {
    if (answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready) ++refused;
  }
  EXPECT_GE(refused, 14U);
  EXPECT_LE(refused, 18U);
  ledger_->stop();
  for (auto& answer : waiting) EXPECT_EQ(answer.get().kind, AnswerKind::kOverloaded);
}

TEST_F(LedgerTest, what_cannot_be_looked_up_again_takes_those_behind_it_along) {
  const Command stuck = waits_for_the_index("a");
  auto waiting = submit(stuck);
  std::vector<std::future<Answer>> behind;
  for (const char* key : {"k3", "k4"}) {
    behind.push_back(submit(command("a", domain::TopUp{usd("1"), {}, {}, {}}, key)));
  }
  open_account("b");  // all of "a" stand in line by now
  // The first payment, which the repetition leads to.
  const auto stream = domain::StreamId::account(TenantId("main"), AccountId("a"));
  const std::string key = version_key(stream_key(stream), 2);
  const auto row = rows_.get(projections::kStreamsTable, key);
  ASSERT_TRUE(row.ok() && row->has_value());
  const auto put = [&](std::string value) {
    KvBatch batch;
    batch.put(projections::kStreamsTable, key, std::move(value));
    ASSERT_TRUE(rows_.write(batch).ok());
  };
  put("\x01");
  projector_.start();
  projector_.notify();
  EXPECT_EQ(waiting.get().kind, AnswerKind::kOverloaded);
  for (auto& answer : behind) EXPECT_EQ(answer.get().kind, AnswerKind::kOverloaded);
  put(**row);
  // Tried again in their order, they are decided in it; who comes later has not to wait.
  EXPECT_EQ(run(stuck).kind, AnswerKind::kReplayed);
  for (const char* again : {"k3", "k4"}) {
    EXPECT_EQ(submit(command("a", domain::TopUp{usd("1"), {}, {}, {}}, again)).get().kind,
              AnswerKind::kRecorded);
  }
  EXPECT_EQ(ledger_->load().queued, 0U);
}

TEST_F(LedgerTest, every_command_is_answered_exactly_once_though_the_ledger_stops_meanwhile) {
  constexpr std::size_t kThreads = 3;
  constexpr std::size_t kEach = 3'000;
  for (int i = 0; i < 8; ++i) open_account("a" + std::to_string(i));
  std::vector<std::atomic<int>> answers(kThreads * kEach);
  std::atomic<std::size_t> begun{0};
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      std::vector<Submission> together;
      for (std::size_t i = 0; i < kEach; ++i) {
        const std::size_t number = thread * kEach + i;
        Command made = command("a" + std::to_string(i % 8), domain::TopUp{usd("1"), {}, {}, {}},
                               std::to_string(number));
        const auto complete = [&answers, number](const Answer&) { ++answers[number]; };
        ++begun;
        if (thread == 0) {
          ledger_->submit(std::move(made), complete);
          continue;
        }
        together.push_back({std::move(made), complete, {}});
        if (together.size() == 30) ledger_->submit(std::exchange(together, {}));
      }
    });
  }
  while (begun < kThreads * kEach / 3) std::this_thread::yield();
  ledger_->stop();
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < answers.size(); ++i) ASSERT_EQ(answers[i], 1) << "command " << i;
  EXPECT_EQ(ledger_->load().queued, 0U);
}

TEST_F(LedgerTest, after_the_log_has_failed_all_are_answered_and_nobody_spins) {
  open_account("a");
  log_.script(0, FakeLog::Fault::kLoseEntry);
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 300; ++i) {
    answers.push_back(submit(command("a", domain::TopUp{usd("1"), {}, {}, {}}, std::to_string(i))));
  }
  for (auto& answer : answers) EXPECT_EQ(answer.get().kind, AnswerKind::kUnknown);
  EXPECT_TRUE(ledger_->failed());
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 10) << "CPU time of an idle process";
  EXPECT_EQ(run(command("a", domain::TopUp{usd("1"), {}, {}, {}}, "late")).kind,
            AnswerKind::kUnknown);
  EXPECT_FALSE(ledger_->close(clock_.now()).ok());
  ledger_->stop();
}

TEST_F(LedgerTest, a_tenant_is_read_once_whoever_comes_and_goes) {
  open_account("a0");
  KvBatch batch;
  const auto tenant = domain::StreamId::of_tenant(TenantId("main"));
  batch.put(projections::kStatesTable, latest_state_key(tenant), "no state");
  ASSERT_TRUE(rows_.write(batch).ok());
  // More accounts than stay in memory: new ones, and such as were let go and are looked up again.
  std::atomic<int> failures{0};
  ledger_->on_look_up_failure([&failures](const Status&) { ++failures; });
  for (int i = 1; i < 12; ++i) {
    auto answer =
        submit(command("a" + std::to_string(i),
                       domain::OpenAccount{*domain::Currency::parse("USD"), {}, {}}, "open"));
    EXPECT_EQ(answer.get().kind, AnswerKind::kRecorded);
  }
  for (int i = 0; i < 300; ++i) {
    const std::string account = "a" + std::to_string(i % 12);
    ledger_->submit(command(account, domain::TopUp{usd("1"), {}, {}, {}}, std::to_string(i)),
                    [](const Answer&) {});
  }
  ledger_->stop();
  EXPECT_EQ(failures, 0);
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
  EXPECT_EQ(submit(command("a", top_up, "k")).get().kind, AnswerKind::kOverloaded);
  EXPECT_EQ(cause.code(), StatusCode::kCorrupt) << cause.message();
  EXPECT_EQ(log_.head().next_position, 0U);
}

}  // namespace
}  // namespace daybook::eventstore
