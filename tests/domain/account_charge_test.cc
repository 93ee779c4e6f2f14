#include <gtest/gtest.h>

#include "domain/account.h"
#include "tests/support/given_when_then.h"

namespace daybook::domain {
namespace {

using test::adjustment;
using test::amount;
using test::charge;
using test::currency;
using test::eur;
using test::given;
using test::given_nothing;
using test::limit;
using test::record_charge;
using test::top_up;
using test::usd;

constexpr std::string_view kMost = "99999999999999999999999999.999999999999";

TEST(AccountChargeTest, a_charge_says_what_it_took_and_by_which_limit) {
  auto story = given({limit(usd("500")), top_up(usd("100"))});
  PostCharge command = charge(usd("350.00"));
  command.description = "rent";
  command.service = "vm-1";
  command.attributes = {{"region", "nl"}};
  story.when(command).then({ChargePosted{usd("350"),
                                         Enforcement::kStrict,
                                         "rent",
                                         "vm-1",
                                         {{"region", "nl"}},
                                         usd("100"),
                                         usd("250"),
                                         usd("-250"),
                                         usd("250"),
                                         usd("500"),
                                         CreditLimitSource::kAccount,
                                         0}});
}

TEST(AccountChargeTest, exactly_available_is_accepted_and_the_least_unit_more_is_refused) {
  given({top_up(usd("10.00"))}).when(charge(usd("10.00"))).then_balance(usd("0"), usd("0"));
  given({top_up(usd("10.00"))})
      .when(charge(usd("10.000000000001")))
      .then({ChargeRefused{usd("10.000000000001"), RefusalReason::kInsufficientFunds,
                           usd("0.000000000001"), std::nullopt, std::nullopt, usd("0"),
                           CreditLimitSource::kNone, 0}});
}

TEST(AccountChargeTest, nothing_can_be_spent_where_there_is_nothing) {
  given()
      .when(charge(usd("0.000000000001")))
      .then_refused(RefusalReason::kInsufficientFunds, usd("0.000000000001"));
  // A balance in another currency does not count.
  given({top_up(eur("100"))})
      .when(charge(usd("1")))
      .then_refused(RefusalReason::kInsufficientFunds, usd("1"));
}

TEST(AccountChargeTest, a_charge_in_record_mode_always_books) {
  auto story = given({top_up(usd("10"))}).when(record_charge(usd("25")));
  story.then({ChargePosted{usd("25"),
                           Enforcement::kRecord,
                           std::nullopt,
                           std::nullopt,
                           {},
                           usd("10"),
                           usd("15"),
                           usd("-15"),
                           usd("0"),
                           usd("0"),
                           CreditLimitSource::kNone,
                           0}});
  story.then_balance(usd("-15"), usd("-15"));
  given({FreezeAccount{}}).when(record_charge(usd("1"))).then_balance(usd("-1"), usd("-1"));
}

TEST(AccountChargeTest, zero_and_negative_amounts_are_invalid) {
  for (const char* text : {"0", "-1", "-0.000000000001"}) {
    given().when(charge(usd(text))).then_invalid("/amount/amount", "above zero");
    given().when(record_charge(usd(text))).then_invalid("/amount/amount", "above zero");
  }
}

TEST(AccountChargeTest, what_comes_first_answers) {
  // Not found before invalid.
  given_nothing().when(charge(usd("0"))).then_not_found();
  // Invalid before closed.
  given({CloseAccount{}}).when(charge(usd("0"))).then_invalid("/amount/amount");
  given({CloseAccount{}})
      .with_inactive("USD")
      .when(charge(usd("1")))
      .then_invalid("/amount/currency", "inactive");
  // Closed before funds; frozen before funds and before what does not fit.
  given({CloseAccount{}}).when(charge(usd("1"))).then_refused(RefusalReason::kAccountClosed);
  given({FreezeAccount{}}).when(charge(usd("1"))).then_refused(RefusalReason::kAccountFrozen);
  given({record_charge(usd(kMost)), FreezeAccount{}})
      .when(charge(usd(kMost)))
      .then_refused(RefusalReason::kAccountFrozen);
}

TEST(AccountChargeTest, a_repeated_attribute_name_is_invalid) {
  PostCharge command = charge(usd("1"));
  command.attributes = {{"a", "1"}, {"b", "2"}, {"a", "1"}};
  given({top_up(usd("1"))}).when(command).then_invalid("/attributes", "twice");
}

TEST(AccountChargeTest, a_balance_beyond_26_digits_does_not_fit) {
  given({record_charge(usd(kMost))})
      .when(record_charge(usd("0.000000000001")))
      .then_invalid("/amount", "would not fit");
  given({adjustment(usd(kMost))})
      .when(adjustment(usd("0.000000000001")))
      .then_invalid("/amount", "would not fit");
  given({record_charge(usd(kMost))})
      .when(charge(usd(kMost)))
      .then_invalid("/amount", "would not fit");
  // Nor does what holds leave of it.
  given({limit(usd("5")), PlaceHold{usd("5"), {}, {}, {}}})
      .when(record_charge(usd(kMost)))
      .then_invalid("/amount", "would not fit");
}

TEST(AccountChargeTest, the_largest_limit_leaves_the_largest_balance_usable) {
  constexpr std::string_view kMostLimit = "9999999999999999999999999.999999999999";
  const Money both{*checked_add(amount(kMost), amount(kMostLimit)), currency("USD")};
  auto story = given({adjustment(usd(kMost))}).with_default_limit(usd(kMostLimit));
  story.then_balance(usd(kMost), both);
  const auto charged = story.when(charge(usd("1"))).last<ChargePosted>();
  EXPECT_EQ(to_text(charged.available_after), "109999999999999999999999998.999999999998");
  EXPECT_EQ(story.when(PlaceHold{usd(kMost), {}, {}, {}}).last<HoldPlaced>().held_after,
            usd(kMost));
  // The other way round too: the deepest debt, its limit raised and cleared.
  auto debt = given({record_charge(usd(kMost))});
  EXPECT_EQ(debt.when(limit(usd(kMostLimit))).last<CreditLimitSet>().available_after, usd("0"));
}

TEST(AccountChargeTest, a_limit_has_one_digit_less_than_a_balance) {
  given()
      .when(limit(usd("10000000000000000000000000")))
      .then_invalid("/amount/amount", "25 digits");
}

TEST(AccountChargeTest, a_strict_charge_beyond_available_is_refused_even_where_it_would_not_fit) {
  given({record_charge(usd(kMost))})
      .when(charge(usd("1")))
      .then_refused(RefusalReason::kInsufficientFunds,
                    Money{*checked_add(amount(kMost), amount("1")), currency("USD")});
}

TEST(AccountChargeTest, check_b2_own_balance_first_then_credit_and_restoration_on_top_up) {
  auto story = given({limit(usd("500.00")), top_up(usd("100.00"))});
  story.when(charge(usd("350.00")));
  auto posted = story.last<ChargePosted>();
  EXPECT_EQ(posted.from_balance, usd("100.00"));
  EXPECT_EQ(posted.from_credit, usd("250.00"));
  story.then_balance(usd("-250.00"), usd("250.00"));

  story.when(charge(usd("250.01"))).then_refused(RefusalReason::kInsufficientFunds, usd("0.01"));
  story.then_balance(usd("-250.00"), usd("250.00"));

  story.when(charge(usd("250.00")));
  posted = story.last<ChargePosted>();
  EXPECT_EQ(posted.from_balance, usd("0"));
  EXPECT_EQ(posted.from_credit, usd("250.00"));
  story.then_balance(usd("-500.00"), usd("0.00"));

  story.when(top_up(usd("200.00")));
  EXPECT_EQ(story.last<BalanceToppedUp>().credit_restored, usd("200.00"));
  story.then_balance(usd("-300.00"), usd("200.00"));

  story.when(top_up(usd("400.00")));
  EXPECT_EQ(story.last<BalanceToppedUp>().credit_restored, usd("300.00"));
  story.then_balance(usd("100.00"), usd("600.00"));
}

TEST(AccountChargeTest, check_b3_lowering_a_limit_takes_nothing_back_and_blocks_new_use) {
  auto story = given({limit(usd("500")), charge(usd("250.00"))});
  story.when(limit(usd("100")))
      .then({CreditLimitSet{usd("100"), usd("500"), "agreed", usd("0.00")}});
  story.when(charge(usd("0.01"))).then_refused(RefusalReason::kInsufficientFunds, usd("150.01"));
  story.when(top_up(usd("200.00"))).then_balance(usd("-50.00"), usd("50.00"));
}

TEST(AccountChargeTest, check_b8_the_money_rows_add_up_and_the_refusal_is_none_of_them) {
  auto story = given({limit(usd("500.00")), top_up(usd("100.00"))});
  const std::size_t before = story.history().size();
  story.when(charge(usd("350"))).when(charge(usd("250.01"))).when(charge(usd("250")));
  story.when(top_up(usd("200"))).when(top_up(usd("400")));
  std::vector<std::string> rows;
  Amount sum = amount("100.00");
  for (std::size_t i = before; i < story.history().size(); ++i) {
    const auto change = balance_change_of(story.history()[i].event);
    if (!change) continue;
    rows.push_back(to_text(*change));
    sum = *checked_add(sum, change->amount);
  }
  EXPECT_EQ(rows, (std::vector<std::string>{"-350.00", "-250.00", "200.00", "400.00"}));
  EXPECT_EQ(sum, amount("100.00"));
  EXPECT_EQ(balance_of(story.state(), currency("USD")).balance, sum);
}

TEST(AccountChargeTest, check_d3_four_decimals_to_the_last_unit) {
  auto story = given({limit(usd("1000")), charge(usd("76.6052"))});
  story.when(charge(usd("923.3948"))).then_balance(usd("-1000"), usd("0.0000"));
  story.when(charge(usd("0.0001"))).then_refused(RefusalReason::kInsufficientFunds, usd("0.0001"));
}

TEST(AccountChargeTest, check_d6_what_remains_is_amount_less_usage) {
  given({top_up(usd("335.50"))})
      .when(charge(usd("34.00")))
      .then_balance(usd("301.50"), usd("301.50"));
}

}  // namespace
}  // namespace daybook::domain
