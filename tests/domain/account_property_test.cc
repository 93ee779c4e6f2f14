#include <algorithm>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "domain/account.h"
#include "domain/posting_rules.h"
#include "tests/support/given_when_then.h"

/// What holds after any commands in any order.
namespace daybook::domain {
namespace {

using test::adjustment;
using test::capture;
using test::charge;
using test::credit_note;
using test::currency;
using test::given;
using test::hold;
using test::limit;
using test::morning;
using test::open;
using test::paid_by;
using test::pay_out;
using test::record_charge;
using test::refund;
using test::release;
using test::reverse;
using test::Story;
using test::top_up;
using test::usd;

const std::vector<std::string_view> kCodes = {"USD", "RUB", "JPY"};

rc::Gen<Money> any_money() {
  return rc::gen::exec([] {
    const auto code = *rc::gen::elementOf(kCodes);
    // Small whole amounts meet each other's limits; odd and huge ones meet the rounding and range.
    const int shape = *rc::gen::inRange(0, 10);
    int128 units = *rc::gen::inRange<std::int64_t>(-3, 60);
    if (shape < 7) units *= 1'000'000'000'000;
    if (shape == 8) units *= 1'234'567'891;
    if (shape == 9) units = units * 1'000'000'000'000'000'000 * 1'000'000'000'000'000'000 / 7;
    return Money{{units}, currency(code)};
  });
}

rc::Gen<std::uint64_t> any_version() { return rc::gen::inRange<std::uint64_t>(1, 60); }

rc::Gen<std::optional<std::string>> any_service() {
  return rc::gen::element<std::optional<std::string>>(std::nullopt, "vm-1", "vm-2");
}

rc::Gen<AccountCommand> any_command(Instant now) {
  return rc::gen::exec([now]() -> AccountCommand {
    const Money amount = *any_money();
    const std::uint64_t version = *any_version();
    const bool coin = *rc::gen::arbitrary<bool>();
    switch (*rc::gen::inRange(0, 26)) {
      case 0:
        return OpenAccount{amount.currency, AccountMode::kPrepaid, {}};
      case 1:
        return FreezeAccount{};
      case 2:
      case 3:
        return UnfreezeAccount{};
      case 4:
        return CloseAccount{};
      case 5:
        return ReopenAccount{};
      case 6:
      case 7:
        return top_up(amount);
      case 8:
        return paid_by(amount, "stripe", coin ? "pi_1" : "pi_2");
      case 9:
        return reverse(version);
      case 10:
      case 11:
      case 12:
        return coin ? charge(amount) : record_charge(amount);
      case 13:
      case 14:
      case 15: {
        const int due = *rc::gen::inRange(-5, 120);
        return hold(amount, coin ? std::optional(Instant{now.micros + due}) : std::nullopt);
      }
      case 16:
        return capture(version, coin ? std::optional(amount) : std::nullopt);
      case 17:
        return release(version);
      case 18:
        return refund(version, coin ? std::optional(amount) : std::nullopt);
      case 19:
        return pay_out(amount);
      case 20:
        return coin ? AccountCommand(credit_note(amount)) : AccountCommand(adjustment(amount));
      case 21:
        return limit(amount);
      case 22:
        return ClearCreditLimit{amount.currency, std::nullopt};
      case 23:
        return SetTag{*any_service(), coin ? "auto_credit" : "plan", coin ? "yes" : "no", {}};
      case 24:
        return RemoveTag{*any_service(), coin ? "auto_credit" : "plan"};
      default:
        return SettleAccount{};
    }
  });
}

/// Commands that want a state rather than a movement: done twice they change nothing.
bool is_idempotent(const AccountCommand& command) {
  return std::visit(
      Overloaded{
          [](const FreezeAccount&) { return true; }, [](const UnfreezeAccount&) { return true; },
          [](const CloseAccount&) { return true; }, [](const ReopenAccount&) { return true; },
          [](const SetCreditLimit&) { return true; }, [](const ClearCreditLimit&) { return true; },
          [](const SetTag&) { return true; }, [](const SettleAccount&) { return true; },
          [](const TopUp& body) { return body.provider_payment_id.has_value(); },
          [](const auto&) { return false; }},
      command);
}

bool is_refusal(const Event& event) {
  return std::holds_alternative<ChargeRefused>(event) ||
         std::holds_alternative<CommandRefused>(event);
}

Amount available_in(const Story& story, Currency in) {
  const auto balance = balance_of(story.state(), in);
  return available_of(balance, effective_limit(balance, story.catalogue()).amount);
}

void check_state(const Story& story) {
  std::map<Currency, Amount> balances;
  std::map<Currency, Amount> held;
  for (const auto& recorded : story.history()) {
    if (const auto change = balance_change_of(recorded.event)) {
      balances[change->currency].units += change->amount.units;
    }
    std::map<Currency, int128> sums;
    for (const auto& posting : postings_of(recorded.event, kPostingRulesVersion)) {
      sums[posting.amount.currency] += posting.amount.amount.units;
    }
    for (const auto& sum : sums) RC_ASSERT(sum.second == 0);
  }
  for (const auto& open : story.state().holds) {
    RC_ASSERT(open.amount.amount.is_positive());
    held[open.amount.currency].units += open.amount.amount.units;
  }
  for (const auto& balance : story.state().balances) {
    RC_ASSERT(balance.balance == balances[balance.currency]);
    RC_ASSERT(balance.held == held[balance.currency]);
  }
  if (story.state().status == AccountStatus::kClosed) {
    RC_ASSERT(story.state().holds.empty());
    for (const auto& balance : story.state().balances) RC_ASSERT(balance.balance.is_zero());
  }
}

/// The numbers that an event carries are those that the state has after it.
void check_last_event(const Story& story) {
  const Event& last = story.happened().back();
  if (const auto after = balance_after_of(last)) {
    RC_ASSERT(balance_of(story.state(), after->currency).balance == after->amount);
  }
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { body.available_after; }) {
          const Amount shown =
              std::max(available_in(story, body.available_after.currency), Amount{});
          RC_ASSERT(body.available_after.amount == shown);
        }
        if constexpr (requires { body.held_after; }) {
          RC_ASSERT(balance_of(story.state(), body.held_after.currency).held ==
                    body.held_after.amount);
        }
        if constexpr (requires { body.from_credit; }) {
          RC_ASSERT(body.from_balance.amount.units + body.from_credit.amount.units ==
                    body.amount.amount.units);
          RC_ASSERT(!body.from_balance.amount.is_negative());
          RC_ASSERT(!body.from_credit.amount.is_negative());
        }
      },
      last);
  if (const auto* posted = std::get_if<ChargePosted>(&last);
      posted != nullptr && posted->enforce == Enforcement::kStrict) {
    RC_ASSERT(!available_in(story, posted->amount.currency).is_negative());
  }
  if (const auto* placed = std::get_if<HoldPlaced>(&last)) {
    RC_ASSERT(!available_in(story, placed->amount.currency).is_negative());
  }
  if (const auto* paid = std::get_if<BalancePaidOut>(&last)) {
    const auto balance = balance_of(story.state(), paid->amount.currency);
    RC_ASSERT(balance.balance >= balance.held);
  }
}

RC_GTEST_PROP(AccountProperty, any_history_keeps_the_books, ()) {
  Story story;
  if (*rc::gen::arbitrary<bool>()) story.with_default_limit(usd("20"));
  const int steps = *rc::gen::inRange(1, 80);
  Instant now = morning();
  bool opened = false;
  for (int i = 0; i < steps; ++i) {
    now.micros += *rc::gen::inRange(0, 20);
    const AccountCommand command = opened ? *any_command(now) : AccountCommand(open("USD"));
    opened = true;
    story.keyed(*rc::gen::arbitrary<bool>()).at(now).when(command);
    check_state(story);
    if (!story.happened().empty()) check_last_event(story);
    const bool has_due_hold = std::any_of(
        story.state().holds.begin(), story.state().holds.end(),
        [&](const OpenHold& open) { return open.expires_at && *open.expires_at <= now; });
    RC_ASSERT(!has_due_hold);

    const bool succeeded =
        !story.rejection() && (story.happened().empty() || !is_refusal(story.happened().back()));
    if (succeeded && is_idempotent(command)) {
      story.keyed(false).when(command);
      RC_ASSERT(!story.rejection());
      for (const auto& event : story.happened()) {
        RC_ASSERT(std::holds_alternative<NoChange>(event));  // a repeated payment says which
      }
    }
  }
  // The same history folds to the same state.
  AccountState folded;
  for (const auto& recorded : story.history()) evolve(folded, recorded);
  RC_ASSERT(folded == story.state());
}

RC_GTEST_PROP(AccountProperty, refunds_of_a_charge_never_exceed_it, ()) {
  auto story = given({record_charge(usd("50"))});
  int128 refunded = 0;
  for (int i = 0; i < 20; ++i) {
    Money part = usd("0");
    part.amount.units = *rc::gen::inRange<std::int64_t>(1, 12) * 1'000'000'000'000;
    story.when(refund(2, part));
    if (const auto* event = std::get_if<ChargeRefunded>(&story.happened().back())) {
      refunded += event->amount.amount.units;
      RC_ASSERT(event->refunded_total.amount.units == refunded);
    } else {
      RC_ASSERT(refunded + part.amount.units > usd("50").amount.units);
    }
    RC_ASSERT(refunded <= usd("50").amount.units);
  }
}

}  // namespace
}  // namespace daybook::domain
