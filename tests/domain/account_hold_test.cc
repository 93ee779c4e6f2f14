#include <gtest/gtest.h>

#include "domain/account.h"
#include "tests/support/given_when_then.h"

namespace daybook::domain {
namespace {

using test::capture;
using test::charge;
using test::eur;
using test::given;
using test::given_nothing;
using test::hold;
using test::limit;
using test::morning;
using test::record_charge;
using test::refused;
using test::release;
using test::top_up;
using test::usd;

TEST(AccountHoldTest, a_hold_takes_from_available_and_not_from_the_balance) {
  auto story = given({top_up(usd("100"))});
  PlaceHold command = hold(usd("40"), morning(60));
  command.description = "order";
  command.service = "vm-1";
  story.when(command).then({HoldPlaced{{3},
                                       usd("40"),
                                       morning(60),
                                       "order",
                                       "vm-1",
                                       usd("40"),
                                       usd("60"),
                                       usd("0"),
                                       CreditLimitSource::kNone,
                                       0}});
  story.then_balance(usd("100"), usd("60"));
  story.when(charge(usd("60.01"))).then_refused(RefusalReason::kInsufficientFunds, usd("0.01"));
  story.when(charge(usd("60"))).then_balance(usd("40"), usd("0"));
}

TEST(AccountHoldTest, exactly_available_can_be_held_and_the_least_unit_more_cannot) {
  given({top_up(usd("1"))}).when(hold(usd("1"))).then_balance(usd("1"), usd("0"));
  given({top_up(usd("1"))})
      .when(hold(usd("1.000000000001")))
      .then({refused("hold", RefusalReason::kInsufficientFunds, usd("1.000000000001"),
                     usd("0.000000000001"))});
  given({limit(usd("5"))}).when(hold(usd("5"))).then_balance(usd("0"), usd("0"));
}

TEST(AccountHoldTest, what_is_wrong_with_a_hold_answers_in_order) {
  given_nothing().when(hold(usd("0"))).then_not_found();
  given().when(hold(usd("0"))).then_invalid("/amount/amount");
  given().when(hold(usd("-1"))).then_invalid("/amount/amount");
  given().with_inactive("USD").when(hold(usd("1"))).then_invalid("/amount/currency");
  given().when(hold(usd("1"), morning())).then_invalid("/expires_at", "future");
  given().when(hold(usd("1"), morning(-1))).then_invalid("/expires_at", "future");
  given({CloseAccount{}}).when(hold(usd("1"))).then_refused(RefusalReason::kAccountClosed);
  given({FreezeAccount{}}).when(hold(usd("1"))).then_refused(RefusalReason::kAccountFrozen);
  given().when(hold(usd("1"))).then_refused(RefusalReason::kInsufficientFunds, usd("1"));
}

TEST(AccountHoldTest, an_account_holds_at_most_a_thousand_at_a_time) {
  auto story = given({top_up(usd("2000"))});
  for (std::size_t i = 0; i < kOpenHoldsMax; ++i) story.when(hold(usd("1")));
  EXPECT_EQ(story.state().holds.size(), kOpenHoldsMax);
  story.when(hold(usd("1"))).then({refused("hold", RefusalReason::kLimitReached, usd("1"))});
  story.when(release(3));
  story.when(hold(usd("1")));
  story.last<HoldPlaced>();
}

TEST(AccountHoldTest, a_capture_charges_all_of_the_hold) {
  auto story = given({top_up(usd("100")), hold(usd("40"))});
  story.when(capture(3))
      .then({HoldCaptured{{3},
                          usd("40"),
                          usd("0"),
                          std::nullopt,
                          std::nullopt,
                          usd("40"),
                          usd("0"),
                          usd("60"),
                          usd("0"),
                          usd("60")}});
  EXPECT_TRUE(story.state().holds.empty());
}

TEST(AccountHoldTest, a_part_captured_releases_the_rest) {
  auto story = given({limit(usd("30")), top_up(usd("10")), hold(usd("40"))});
  story.when(capture(4, usd("25")));
  const auto captured = story.last<HoldCaptured>();
  EXPECT_EQ(captured.released, usd("15"));
  EXPECT_EQ(captured.from_balance, usd("10"));
  EXPECT_EQ(captured.from_credit, usd("15"));
  EXPECT_EQ(captured.held_after, usd("0"));
  story.then_balance(usd("-15"), usd("15"));
}

TEST(AccountHoldTest, a_capture_never_lacks_funds_nor_minds_a_freeze) {
  auto story =
      given({top_up(usd("40")), hold(usd("40")), record_charge(usd("100")), FreezeAccount{}});
  story.when(capture(3)).then_balance(usd("-100"), usd("-100"));
}

TEST(AccountHoldTest, captures_that_cannot_be) {
  const auto past = {AccountCommand(top_up(usd("100"))), AccountCommand(hold(usd("40")))};
  given_nothing().when(capture(3)).then_not_found();
  given(past).when(capture(99)).then_not_found();
  given(past).when(capture(2)).then_not_found();  // a top-up
  given(past).when(capture(3, eur("1"))).then_invalid("/amount/currency", "USD");
  given(past).when(capture(3, usd("0"))).then_invalid("/amount/amount");
  given(past).when(capture(3, usd("-1"))).then_invalid("/amount/amount");
  given(past)
      .when(capture(3, usd("40.000000000001")))
      .then({refused("capture", RefusalReason::kExceedsOriginal, usd("40.000000000001"),
                     usd("0.000000000001"))});
}

TEST(AccountHoldTest, a_hold_ends_once) {
  const std::vector<AccountCommand> past = {top_up(usd("100")), hold(usd("40"))};
  for (const auto& end : {AccountCommand(capture(3, usd("1"))), AccountCommand(release(3))}) {
    given(past)
        .after({end})
        .when(capture(3))
        .then({refused("capture", RefusalReason::kHoldNotOpen)});
    given(past)
        .after({end})
        .when(release(3))
        .then({refused("release", RefusalReason::kHoldNotOpen)});
  }
}

TEST(AccountHoldTest, a_release_gives_all_back) {
  auto story = given({top_up(usd("100")), hold(usd("40"))});
  story.when(ReleaseHold{{3}, "changed mind"})
      .then({HoldReleased{{3}, usd("40"), "changed mind", usd("0"), usd("100")}});
  given({top_up(usd("1"))}).when(release(2)).then_not_found();
  given_nothing().when(release(2)).then_not_found();
}

TEST(AccountHoldTest, an_inactive_currency_takes_no_hold_and_keeps_none_captive) {
  given({top_up(usd("5")), hold(usd("2"))})
      .with_inactive("USD")
      .when(capture(3, usd("1")))
      .then_balance(usd("4"), usd("4"));
  given({top_up(usd("5")), hold(usd("2"))})
      .with_inactive("USD")
      .when(release(3))
      .then_balance(usd("5"), usd("5"));
}

// --- Settle

TEST(AccountSettleTest, a_hold_expires_at_its_moment_and_before_the_next_decision) {
  auto story = given({top_up(usd("10")), hold(usd("10"), morning(60))});
  story.at({morning(60).micros - 1})
      .when(charge(usd("1")))
      .then_refused(RefusalReason::kInsufficientFunds, usd("1"));
  story.at(morning(60)).when(charge(usd("10")));
  ASSERT_EQ(story.happened().size(), 2U);
  EXPECT_EQ(story.happened()[0],
            Event(HoldExpired{{3}, usd("10"), morning(60), usd("0"), usd("10")}));
  EXPECT_EQ(std::get<ChargePosted>(story.happened()[1]).balance_after, usd("0"));
}

TEST(AccountSettleTest, an_expired_hold_is_not_open_and_its_expiry_outlives_a_rejection) {
  const std::vector<AccountCommand> past = {top_up(usd("10")), hold(usd("10"), morning(60))};
  given(past)
      .at(morning(61))
      .when(capture(3))
      .then({HoldExpired{{3}, usd("10"), morning(60), usd("0"), usd("10")},
             refused("capture", RefusalReason::kHoldNotOpen)});
  auto story = given(past).at(morning(61)).when(charge(usd("0")));
  story.then_invalid("/amount/amount");
  EXPECT_EQ(story.happened().size(), 1U);
  given(past)
      .at(morning(61))
      .when(SettleAccount{})
      .then({HoldExpired{{3}, usd("10"), morning(60), usd("0"), usd("10")}});
}

TEST(AccountSettleTest, the_oldest_due_goes_first_and_the_older_hold_breaks_a_tie) {
  auto story = given({top_up(usd("10")), hold(usd("1"), morning(90)), hold(usd("2"), morning(30)),
                      hold(usd("3"), morning(30)), hold(usd("4"))});
  story.at(morning(100)).when(SettleAccount{});
  story.then({HoldExpired{{4}, usd("2"), morning(30), usd("8"), usd("2")},
              HoldExpired{{5}, usd("3"), morning(30), usd("5"), usd("5")},
              HoldExpired{{3}, usd("1"), morning(90), usd("4"), usd("6")}});
  story.when(SettleAccount{}).then_nothing();
}

TEST(AccountSettleTest, one_decision_settles_at_most_255_and_the_next_goes_on) {
  auto story = given({top_up(usd("1000")), top_up(eur("1000"))});
  for (int i = 0; i < 300; ++i) {
    story.when(hold(i % 2 == 0 ? usd("1") : eur("1"), morning(1 + i)));
  }
  story.at(morning(1000)).when(SettleAccount{});
  EXPECT_EQ(story.happened().size(), kSettledPerDecision);
  EXPECT_EQ(std::get<HoldExpired>(story.happened().back()).expired_at, morning(255));
  story.when(charge(usd("1000")));
  EXPECT_EQ(story.happened().size(), 46U);
  EXPECT_EQ(story.last<ChargePosted>().available_after, usd("0"));
  EXPECT_TRUE(story.state().holds.empty());
}

TEST(AccountSettleTest, available_after_an_expiry_is_shown_clamped_at_zero) {
  auto story = given({top_up(usd("10")), hold(usd("5"), morning(1)), record_charge(usd("50"))});
  story.at(morning(2))
      .when(SettleAccount{})
      .then({HoldExpired{{3}, usd("5"), morning(1), usd("0"), usd("0")}});
}

TEST(AccountHoldTest, what_is_wrong_with_a_capture_comes_before_what_became_of_the_hold) {
  auto story = given({top_up(usd("10")), hold(usd("5")), release(3)});
  story.keyed();
  story.when(capture(3, usd("-5"))).then_invalid("/amount/amount");
  story.when(capture(3, test::money("5", "JPY"))).then_invalid("/amount/currency");
  story.when(capture(3, usd("5"))).then_refused(RefusalReason::kHoldNotOpen);
  story.when(capture(2)).then_not_found();
}

}  // namespace
}  // namespace daybook::domain
