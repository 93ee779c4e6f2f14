#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/simulation/world.h"

/// Two clients, two operations each, one crash: every order of the steps, and the crash after every
/// one of them. What random seeds may miss, this does not, within its bounds.
namespace daybook::simulation {
namespace {

namespace d = domain;
using eventstore::Command;

/// Steps of the ledger between those of the clients. Three take a minute, optimized.
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr int kLedgerSteps = 2;
#else
constexpr int kLedgerSteps = 1;
#endif
int ledger_steps_max() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread.
  const char* text = std::getenv("DAYBOOK_SIM_LEDGER_STEPS");
  return text == nullptr ? kLedgerSteps : std::atoi(text);
}

struct Scenario {
  std::vector<Command> before;  ///< Durable and indexed when the clients begin.
  std::vector<Command> one;     ///< Looks up, and offers later.
  std::vector<Command> two;     ///< Looks up and offers at once.
};

Command command(const std::string& account, const std::string& key, d::AccountCommand body) {
  Command made;
  made.tenant = TenantId("t");
  made.account = AccountId(account);
  made.body = std::move(body);
  made.actor = "key:k";
  made.idempotency_key = key;
  made.fingerprint = std::hash<std::string>{}(key);
  return made;
}

d::Money usd(const char* text) { return {{units_of(text)}, *d::Currency::parse("USD")}; }
Command open(const std::string& account) {
  return command(account, "open", d::OpenAccount{*d::Currency::parse("USD"), {}, {}});
}
d::TopUp payment(const char* amount) { return {usd(amount), "stripe", "p1", {}}; }

/// The steps of a run are letters: l and o for the first client's look-up and offer, b for the
/// second's both, w for write (take and append), c for the report of the commit, i for project,
/// publish and index.
class SmallScope {
 public:
  explicit SmallScope(Scenario scenario) : scenario_(std::move(scenario)) {}

  /// All continuations of `steps`, this one included.
  void explore(const std::string& steps, int ledger_steps) {
    for (const std::uint64_t kv_seed : {1U, 2U}) {
      if (!run(steps, kv_seed)) return;
    }
    const auto count = [&](char step) { return std::count(steps.begin(), steps.end(), step); };
    if (count('l') == count('o') && count('l') < 2) explore(steps + 'l', ledger_steps);
    if (count('o') < count('l')) explore(steps + 'o', ledger_steps);
    if (count('b') < 2) explore(steps + 'b', ledger_steps);
    if (ledger_steps == ledger_steps_max_) return;
    for (const char step : {'w', 'c', 'i'}) explore(steps + step, ledger_steps + 1);
  }
  std::uint64_t runs() const { return runs_; }

 private:
  /// False: the last step cannot be taken there, or failed.
  bool run(const std::string& steps, std::uint64_t kv_seed) {
    Trace trace;
    try {
      World::Options options;
      options.sequencer.window_slack_events = 0;
      options.sequencer.resident_streams_max = 1;
      World world(options, trace);
      for (const Command& before : scenario_.before) offer(world, before);
      world.drain();
      const std::uint64_t start = world.log().head().next_position;
      if (!take_steps(world, steps)) return false;
      ++runs_;
      world.crash(kv_seed);
      require(world.log().head().next_position >= start, "the beginning is gone");
      for (int round = 0; round < 2; ++round) {
        for (const auto* client : {&scenario_.one, &scenario_.two}) {
          for (const Command& again : *client) {
            offer(world, again);
            world.drain();
          }
        }
      }
      world.check_log();
      if (runs_ % 8 == 0) world.check_tables();
      return true;
    } catch (const Violation& violation) {
      ADD_FAILURE() << "steps " << steps << ", tables " << kv_seed << ": " << violation.what()
                    << "\n"
                    << trace.last_lines();
      return false;
    }
  }

  bool take_steps(World& world, const std::string& steps) {
    std::size_t one = 0;
    std::size_t two = 0;
    eventstore::PreparedCommand prepared;
    for (const char step : steps) {
      switch (step) {
        case 'l':
          prepared = world.look_up(scenario_.one[one]);
          break;
        case 'o':
          // Too old: the client gives up, and comes back after the crash.
          static_cast<void>(world.offer(prepared, "one", [](const auto&) {}));
          ++one;
          break;
        case 'b':
          prepared_two_ = world.look_up(scenario_.two[two++]);
          static_cast<void>(world.offer(prepared_two_, "two", [](const auto&) {}));
          break;
        case 'w':
          if (!world.can_take()) return false;
          world.take();
          world.append();
          break;
        case 'c':
          if (!world.can_report_commit()) return false;
          world.report_commit();
          break;
        default:
          world.project();
          world.publish();
          world.report_indexed();
      }
    }
    return true;
  }

  static void offer(World& world, const Command& wanted) {
    for (int tries = 0; tries < 3; ++tries) {
      auto prepared = world.look_up(wanted);
      if (world.offer(prepared, wanted.idempotency_key, [](const auto&) {})) return;
      world.drain();
    }
    throw Violation("a command is never taken");
  }

  Scenario scenario_;
  int ledger_steps_max_ = ledger_steps_max();
  eventstore::PreparedCommand prepared_two_;
  std::uint64_t runs_ = 0;
};

void explore_all(Scenario scenario) {
  SmallScope scope(std::move(scenario));
  scope.explore("", 0);
  std::printf("%llu runs\n", static_cast<unsigned long long>(scope.runs()));
  EXPECT_GT(scope.runs(), 500U);
}

TEST(SmallScopeTest, the_same_keys_by_two_clients_count_once) {
  const Command top_up = command("a", "k1", d::TopUp{usd("10"), {}, {}, {}});
  const Command charge = command("a", "k2", d::PostCharge{usd("7"), {}, {}, {}, {}});
  explore_all({{open("a")}, {top_up, charge}, {top_up, charge}});
}

TEST(SmallScopeTest, the_last_money_is_spent_once) {
  const auto charge = [](const char* key) {
    return command("a", key, d::PostCharge{usd("6"), d::Enforcement::kStrict, {}, {}, {}});
  };
  explore_all({{open("a"), command("a", "k0", d::TopUp{usd("10"), {}, {}, {}})},
               {charge("k1"), charge("k2")},
               {charge("k3"), charge("k4")}});
}

TEST(SmallScopeTest, one_payment_on_two_accounts_counts_once) {
  explore_all({{open("a"), open("b")},
               {command("a", "k1", payment("10")), command("a", "k2", payment("10"))},
               {command("b", "k3", payment("10")), command("a", "k4", payment("20"))}});
}

TEST(SmallScopeTest, refunds_never_exceed_the_charge) {
  const auto refund = [](const char* key) {
    return command("a", key, d::RefundCharge{{3}, usd("6"), "r"});
  };
  explore_all({{open("a"), command("a", "k0", d::TopUp{usd("10"), {}, {}, {}}),
                command("a", "k", d::PostCharge{usd("10"), {}, {}, {}, {}})},
               {refund("k1"), refund("k2")},
               {refund("k3"), refund("k4")}});
}

}  // namespace
}  // namespace daybook::simulation
