#include <gtest/gtest.h>

#include "domain/account.h"
#include "tests/support/given_when_then.h"

namespace daybook::domain {
namespace {

using test::adjustment;
using test::capture;
using test::charge;
using test::credit_note;
using test::currency;
using test::describe;
using test::eur;
using test::given;
using test::given_nothing;
using test::hold;
using test::limit;
using test::morning;
using test::open;
using test::pay_out;
using test::record_charge;
using test::refund;
using test::refused;
using test::release;
using test::reverse;
using test::tag;
using test::top_up;
using test::untag;
using test::usd;

FreezeAccount freeze() { return {std::nullopt}; }
UnfreezeAccount unfreeze() { return {std::nullopt}; }
CloseAccount close() { return {std::nullopt}; }
ReopenAccount reopen() { return {std::nullopt}; }

/// One of every command but opening and settling, each valid on an open account with a top-up
/// (version 2), a charge (3), and a hold (4).
std::vector<AccountCommand> every_command() {
  return {freeze(),
          unfreeze(),
          close(),
          reopen(),
          top_up(usd("1")),
          reverse(2),
          charge(usd("1")),
          record_charge(usd("1")),
          hold(usd("1")),
          capture(4),
          release(4),
          refund(3),
          pay_out(usd("1")),
          credit_note(usd("1")),
          adjustment(usd("1")),
          limit(usd("1")),
          ClearCreditLimit{currency("USD"), std::nullopt},
          tag("plan", "big"),
          untag("auto_credit"),
          NoteUsage{std::nullopt, std::nullopt, {}},
          ErasePrivateData{std::nullopt}};
}

TEST(AccountLifecycleTest, opening_makes_an_open_account_with_its_own_currency_listed) {
  auto story = given_nothing().when(open("RUB", {{"plan", "small"}}));
  story.then({AccountOpened{currency("RUB"), AccountMode::kPrepaid, {{"plan", "small"}}}});
  EXPECT_EQ(story.state().status, AccountStatus::kOpen);
  EXPECT_EQ(story.state().version, 1U);
  EXPECT_EQ(story.state().opened_at, morning());
  ASSERT_EQ(story.state().balances.size(), 1U);
  EXPECT_EQ(story.state().balances[0], (CurrencyBalance{currency("RUB"), {}, {}, {}}));
  ASSERT_EQ(story.state().tags.size(), 1U);
  EXPECT_EQ(story.state().tags[0].value, "small");
}

TEST(AccountLifecycleTest, no_command_finds_an_account_that_was_never_opened) {
  for (const auto& command : every_command()) {
    given_nothing().when(command).then_not_found();
  }
  given_nothing().when(SettleAccount{}).then_nothing();
}

TEST(AccountLifecycleTest, another_opening_of_the_same_id_is_refused) {
  const auto exists = refused("open", RefusalReason::kAccountExists);
  // The same opening, too: who sends it under a new key did not open this account.
  given().when(open("USD")).then({exists});
  given().when(open("EUR")).then({exists});
  given().when(OpenAccount{currency("USD"), AccountMode::kPostpaid, {}}).then({exists});
  given().when(open("USD", {{"plan", "small"}})).then({exists});
  given({top_up(usd("1"))}).when(open("USD")).then({exists});
  given_nothing()
      .after({open("USD", {{"plan", "small"}})})
      .when(open("USD", {{"plan", "big"}}))
      .then({exists});
}

TEST(AccountLifecycleTest, an_account_cannot_open_in_an_inactive_currency) {
  given_nothing().with_inactive("RUB").when(open("RUB")).then_invalid("/currency", "inactive");
  given_nothing()
      .with_inactive("RUB")
      .when(open("USD"))
      .then({AccountOpened{currency("USD"), AccountMode::kPrepaid, {}}});
}

TEST(AccountLifecycleTest, a_tag_name_given_twice_is_refused) {
  given_nothing().when(open("USD", {{"a", "1"}, {"b", "1"}, {"a", "2"}})).then_invalid("/tags");
}

TEST(AccountLifecycleTest, more_tags_than_an_account_holds_are_refused) {
  std::vector<InitialTag> tags;
  for (std::size_t i = 0; i < kTagsMax; ++i) tags.push_back({"t" + std::to_string(i), "v"});
  given_nothing()
      .when(open("USD", tags))
      .then({AccountOpened{currency("USD"), AccountMode::kPrepaid, tags}});
  tags.push_back({"one-more", "v"});
  given_nothing().when(open("USD", tags)).then_invalid("/tags", "too many");
}

TEST(AccountLifecycleTest, freezing_and_unfreezing_change_the_status_once) {
  given().when(FreezeAccount{"fraud"}).then({AccountFrozen{"fraud"}});
  given({freeze()}).when(freeze()).then({NoChange{}});
  given({freeze()}).keyed(false).when(freeze()).then_nothing();
  given({freeze()}).when(unfreeze()).then({AccountUnfrozen{std::nullopt}});
  given().when(unfreeze()).then({NoChange{}});
  EXPECT_EQ(given({freeze()}).state().status, AccountStatus::kFrozen);
  EXPECT_EQ(given({freeze(), unfreeze()}).state().status, AccountStatus::kOpen);
}

TEST(AccountLifecycleTest, closing_needs_no_holds_and_a_zero_balance_in_every_currency) {
  given().when(CloseAccount{"moved"}).then({AccountClosed{"moved"}});
  // Holds come before the balance.
  given({top_up(usd("5")), hold(usd("1"))})
      .when(close())
      .then({refused("close", RefusalReason::kHoldsOpen)});
  given({top_up(usd("5"))}).when(close()).then({refused("close", RefusalReason::kBalanceNotZero)});
  given({top_up(eur("5"))}).when(close()).then({refused("close", RefusalReason::kBalanceNotZero)});
  given({adjustment(usd("-0.000000000001"))})
      .when(close())
      .then({refused("close", RefusalReason::kBalanceNotZero)});
  given({top_up(usd("5")), pay_out(usd("5"))}).when(close()).then({AccountClosed{std::nullopt}});
  given({close()}).when(close()).then({NoChange{}});
  given({freeze()}).when(close()).then({AccountClosed{std::nullopt}});
}

TEST(AccountLifecycleTest, reopening_brings_a_closed_account_back) {
  given({close()}).when(ReopenAccount{"again"}).then({AccountReopened{"again"}});
  EXPECT_EQ(given({close(), reopen()}).state().status, AccountStatus::kOpen);
  given().when(reopen()).then({NoChange{}});
  given({freeze()}).when(reopen()).then({NoChange{}});
}

TEST(AccountLifecycleTest, closing_and_reopening_is_no_way_around_a_freeze) {
  auto story = given({top_up(usd("5")), freeze(), adjustment(usd("-5")), close()});
  EXPECT_EQ(story.state().status, AccountStatus::kClosed);
  story.when(reopen()).then({AccountReopened{std::nullopt, AccountStatus::kFrozen}});
  EXPECT_EQ(story.state().status, AccountStatus::kFrozen);
  story.when(charge(usd("1"))).then_refused(RefusalReason::kAccountFrozen);
  story.when(unfreeze()).then({AccountUnfrozen{std::nullopt}});
  // The freeze is lifted for good: the next reopening brings an open account back.
  story.when(close()).then({AccountClosed{std::nullopt}});
  story.when(reopen()).then({AccountReopened{std::nullopt, AccountStatus::kOpen}});
  EXPECT_EQ(story.state().status, AccountStatus::kOpen);
}

TEST(AccountLifecycleTest, a_closed_account_refuses_everything_but_erasure_and_reopening) {
  for (const auto& command : every_command()) {
    // Closed with a past: a top-up (2), a charge (3), a hold (4), released (5).
    auto story = given({top_up(usd("5")), charge(usd("5")), adjustment(usd("1")), hold(usd("1")),
                        release(5), pay_out(usd("1")), close()});
    story.when(command);
    if (std::holds_alternative<CloseAccount>(command)) {
      story.then({NoChange{}});
    } else if (std::holds_alternative<ReopenAccount>(command)) {
      story.then({AccountReopened{std::nullopt}});
    } else if (std::holds_alternative<ErasePrivateData>(command)) {
      story.then({NoChange{}});
    } else if (std::holds_alternative<CaptureHold>(command) ||
               std::holds_alternative<ReleaseHold>(command)) {
      // Version 4 is no hold; an account with holds cannot close.
      story.then_not_found();
    } else {
      story.then_refused(RefusalReason::kAccountClosed);
    }
  }
}

TEST(AccountLifecycleTest, a_frozen_account_refuses_strict_charges_holds_and_payouts_alone) {
  for (const auto& command : every_command()) {
    auto story = given({top_up(usd("5")), charge(usd("1")), hold(usd("1")), freeze()});
    story.when(command);
    const auto* charged = std::get_if<PostCharge>(&command);
    const bool is_strict = charged != nullptr && charged->enforce == Enforcement::kStrict;
    if (is_strict || std::holds_alternative<PlaceHold>(command) ||
        std::holds_alternative<PayOutBalance>(command)) {
      story.then_refused(RefusalReason::kAccountFrozen);
    } else if (std::holds_alternative<CloseAccount>(command)) {
      story.then_refused(RefusalReason::kHoldsOpen);
    } else {
      ASSERT_FALSE(story.happened().empty());
      EXPECT_NE(name_of(story.happened().back()), CommandRefused::kName)
          << describe(story.happened());
      EXPECT_NE(name_of(story.happened().back()), ChargeRefused::kName);
    }
  }
}

TEST(AccountLifecycleTest, a_refusal_changes_nothing_but_the_version) {
  auto story = given({top_up(usd("5"))});
  AccountState before = story.state();
  story.when(charge(usd("5.01"))).then_refused(RefusalReason::kInsufficientFunds, usd("0.01"));
  before.version += 1;
  EXPECT_EQ(story.state(), before);
}

TEST(AccountLifecycleTest, usage_is_noted_and_moves_nothing) {
  auto story = given({top_up(usd("5"))});
  story.when(NoteUsage{"traffic", "vm-1", {{"gb", "17.5"}}})
      .then({UsageNoted{"traffic", "vm-1", {{"gb", "17.5"}}}})
      .then_balance(usd("5"), usd("5"));
  given().when(NoteUsage{{}, {}, {{"a", ""}, {"a", "1"}}}).then_invalid("/attributes");
}

TEST(AccountLifecycleDeathTest, an_event_out_of_turn_or_of_another_stream_is_a_bug) {
  auto story = given();
  AccountState state = story.state();
  RecordedEvent event = story.history().back();
  EXPECT_DEATH(evolve(state, event), "CHECK");
  EXPECT_DEATH(evolve(state, Event(ApiKeyRevoked{"k"}), morning()), "CHECK");
  AccountState none;
  EXPECT_DEATH(evolve(none, Event(AccountFrozen{}), morning()), "CHECK");
}

}  // namespace
}  // namespace daybook::domain
