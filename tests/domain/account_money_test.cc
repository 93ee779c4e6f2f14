#include <gtest/gtest.h>

#include "domain/account.h"
#include "tests/support/given_when_then.h"

namespace daybook::domain {
namespace {

using test::account_id;
using test::adjustment;
using test::amount;
using test::capture;
using test::charge;
using test::credit_note;
using test::currency;
using test::eur;
using test::given;
using test::given_nothing;
using test::hold;
using test::limit;
using test::money;
using test::paid_by;
using test::pay_out;
using test::record_charge;
using test::refund;
using test::refused;
using test::reverse;
using test::top_up;
using test::usd;

// --- Top-ups

TEST(AccountTopUpTest, a_top_up_raises_the_balance_and_says_what_it_restored) {
  TopUp command = paid_by(usd("30.25"), "stripe", "pi_1");
  command.description = "card";
  auto story = given({record_charge(usd("10.5"))}).when(command);
  story.then({BalanceToppedUp{usd("30.25"), "stripe", "pi_1", "card", usd("10.5"), usd("19.75"),
                              usd("19.75")}});
  EXPECT_EQ(story.decision().claim,
            (PaymentClaimed{"stripe", "pi_1", usd("30.25"), {account_id(), 3}}));
}

TEST(AccountTopUpTest, a_top_up_without_a_payment_id_claims_nothing) {
  TopUp command = top_up(usd("1"));
  command.provider = "cash";
  EXPECT_EQ(given().when(command).decision().claim, std::nullopt);
}

TEST(AccountTopUpTest, a_payment_id_needs_its_provider) {
  TopUp command = top_up(usd("1"));
  command.provider_payment_id = "pi_1";
  given().when(command).then_invalid("/provider");
}

TEST(AccountTopUpTest, payments_come_in_whole_minor_units_above_zero) {
  given().when(top_up(usd("0.01"))).then_balance(usd("0.01"), usd("0.01"));
  given().when(top_up(usd("0.001"))).then_invalid("/amount/amount", "at most 2 decimals in USD");
  given().when(top_up(money("1", "JPY"))).then_balance(money("1", "JPY"), money("1", "JPY"));
  given().when(top_up(money("1.5", "JPY"))).then_invalid("/amount/amount", "0 decimals in JPY");
  given()
      .when(top_up(money("1.001", "KWD")))
      .then_balance(money("1.001", "KWD"), money("1.001", "KWD"));
  given().when(top_up(usd("0"))).then_invalid("/amount/amount", "above zero");
  given().when(top_up(usd("-1"))).then_invalid("/amount/amount", "above zero");
  given({top_up(usd("5"))}).when(pay_out(usd("0.001"))).then_invalid("/amount/amount", "decimals");
}

TEST(AccountTopUpTest, less_than_the_minimum_is_invalid) {
  const CurrencyEntry entry{currency("USD"), std::nullopt, amount("10"), CurrencyStatus::kActive};
  given().with_currency(entry).when(top_up(usd("9.99"))).then_invalid("/amount/amount", "10.00");
  given().with_currency(entry).when(top_up(usd("10"))).then_balance(usd("10"), usd("10"));
  given().with_currency(entry).when(top_up(eur("0.01"))).then_balance(eur("0.01"), eur("0.01"));
}

TEST(AccountTopUpTest, closed_refuses_frozen_accepts) {
  given({CloseAccount{}})
      .when(top_up(usd("1")))
      .then({refused("top-up", RefusalReason::kAccountClosed, usd("1"))});
  given({FreezeAccount{}}).when(top_up(usd("1"))).then_balance(usd("1"), usd("1"));
  given().with_inactive("USD").when(top_up(usd("1"))).then_invalid("/amount/currency");
}

TEST(AccountTopUpTest, the_same_payment_again_names_the_first) {
  auto story = given({paid_by(usd("5"), "stripe", "pi_1")});
  story.when(paid_by(usd("5"), "stripe", "pi_1")).then({NoChange{EventRef{2}}});
  story.then_balance(usd("5"), usd("5"));
}

TEST(AccountTopUpTest, the_same_payment_again_is_answered_whatever_changed_since) {
  const std::vector<AccountCommand> past = {paid_by(usd("5"), "stripe", "pi_1")};
  const auto again = paid_by(usd("5"), "stripe", "pi_1");
  given(past).with_inactive("USD").when(again).then({NoChange{EventRef{2}}});
  given(past)
      .with_currency({currency("USD"), std::nullopt, amount("100"), CurrencyStatus::kActive})
      .when(again)
      .then({NoChange{EventRef{2}}});
  given(past).after({pay_out(usd("5")), CloseAccount{}}).when(again).then({NoChange{EventRef{2}}});
}

TEST(AccountTopUpTest, the_same_payment_with_another_amount_is_refused) {
  const auto conflict = [](const Money& amount) {
    return refused("top-up", RefusalReason::kPaymentConflict, amount);
  };
  auto story = given({paid_by(usd("5"), "stripe", "pi_1")});
  story.when(paid_by(usd("6"), "stripe", "pi_1")).then({conflict(usd("6"))});
  story.when(paid_by(eur("5"), "stripe", "pi_1")).then({conflict(eur("5"))});
  // Another provider may have the same id.
  story.when(paid_by(usd("6"), "paypal", "pi_1")).then_balance(usd("11"), usd("11"));
}

TEST(AccountTopUpTest, a_payment_claimed_by_another_account_is_refused) {
  given()
      .with_claim({"stripe", "pi_1", usd("5"), {AccountId("other"), 2}})
      .when(paid_by(usd("5"), "stripe", "pi_1"))
      .then({refused("top-up", RefusalReason::kPaymentConflict, usd("5"))});
}

// --- Reversals

TEST(AccountReversalTest, a_reversal_takes_the_whole_top_up_and_may_go_negative) {
  auto story = given({top_up(usd("50")), charge(usd("30"))});
  story.when(ReverseTopUp{{2}, "chargeback"})
      .then({TopUpReversed{{2}, usd("50"), "chargeback", usd("-30"), usd("0")}});
  story.then_balance(usd("-30"), usd("-30"));
}

TEST(AccountReversalTest, a_top_up_is_reversed_once) {
  given({top_up(usd("5")), reverse(2)})
      .when(reverse(2))
      .then({refused("reverse", RefusalReason::kAlreadyReversed, usd("5"))});
  given({top_up(usd("5")), top_up(usd("5")), reverse(2)})
      .when(reverse(3))
      .then_balance(usd("0"), usd("0"));
}

TEST(AccountReversalTest, only_a_top_up_can_be_reversed) {
  given_nothing().when(reverse(2)).then_not_found();
  given({top_up(usd("5")), charge(usd("1"))}).when(reverse(3)).then_not_found();
  given().when(reverse(99)).then_not_found();
}

// --- Refunds

TEST(AccountRefundTest, check_d4_parts_never_exceed_the_whole) {
  auto story = given({top_up(usd("100")), charge(usd("100.00"))});
  story.when(refund(3, usd("40")))
      .then({ChargeRefunded{{3}, usd("40"), usd("40"), "unused", usd("40"), usd("40")}});
  story.when(refund(3, usd("40")));
  EXPECT_EQ(story.last<ChargeRefunded>().refunded_total, usd("80"));
  story.when(refund(3, usd("20.01")))
      .then({refused("refund", RefusalReason::kExceedsOriginal, usd("20.01"), usd("0.01"))});
  story.when(refund(3, usd("20.00")));
  EXPECT_EQ(story.last<ChargeRefunded>().refunded_total, usd("100"));
  story.when(refund(3, usd("0.01")))
      .then({refused("refund", RefusalReason::kExceedsOriginal, usd("0.01"), usd("0.01"))});
  story.then_balance(usd("100"), usd("100"));
}

TEST(AccountRefundTest, without_an_amount_what_is_left_is_refunded_and_then_nothing) {
  auto story = given({record_charge(usd("10")), refund(2, usd("2.5"))});
  story.when(refund(2));
  EXPECT_EQ(story.last<ChargeRefunded>().amount, usd("7.5"));
  story.when(refund(2)).then(
      {refused("refund", RefusalReason::kExceedsOriginal, usd("0"), usd("0"))});
}

TEST(AccountRefundTest, each_charge_has_its_own_sum_and_a_capture_counts_as_one) {
  auto story = given({top_up(usd("20")), charge(usd("5")), hold(usd("8")), capture(4, usd("6"))});
  story.when(refund(3, usd("5")));
  story.when(refund(5, usd("6"))).then_balance(usd("20"), usd("20"));
  story.when(refund(5, usd("1"))).then_refused(RefusalReason::kExceedsOriginal, usd("1"));
}

TEST(AccountRefundTest, refunds_that_cannot_be) {
  const std::vector<AccountCommand> past = {top_up(usd("5")), charge(usd("5"))};
  given_nothing().when(refund(2)).then_not_found();
  given(past).when(refund(2)).then_rejected(RejectionKind::kNotFound, "/charge");
  given(past).when(refund(99)).then_rejected(RejectionKind::kNotFound, "/charge");
  given(past).when(refund(3, eur("1"))).then_invalid("/amount/currency", "USD");
  given(past).when(refund(3, usd("0"))).then_invalid("/amount/amount");
  given(past).when(refund(3, usd("-1"))).then_invalid("/amount/amount");
  given(past).after({CloseAccount{}}).when(refund(3)).then_refused(RefusalReason::kAccountClosed);
}

TEST(AccountRefundTest, an_inactive_currency_can_still_be_refunded_and_paid_out) {
  auto story = given({top_up(usd("5")), charge(usd("5"))}).with_inactive("USD");
  story.when(refund(3, usd("5"))).then_balance(usd("5"), usd("5"));
  story.when(pay_out(usd("5"))).then_balance(usd("0"), usd("0"));
}

// --- Pay-outs

TEST(AccountPayOutTest, a_payout_is_at_most_the_balance_less_the_holds) {
  const std::vector<AccountCommand> past = {limit(usd("500")), top_up(usd("100")), hold(usd("30"))};
  given(past)
      .when(PayOutBalance{usd("70"), "refund to card"})
      .then({BalancePaidOut{usd("70"), "refund to card", usd("30"), usd("500")}});
  given(past)
      .when(pay_out(usd("70.01")))
      .then({refused("payout", RefusalReason::kInsufficientFunds, usd("70.01"), usd("0.01"))});
}

TEST(AccountPayOutTest, a_credit_limit_is_never_paid_out) {
  given({limit(usd("500"))})
      .when(pay_out(usd("0.01")))
      .then_refused(RefusalReason::kInsufficientFunds, usd("0.01"));
  given({limit(usd("500")), charge(usd("50"))})
      .when(pay_out(usd("1")))
      .then_refused(RefusalReason::kInsufficientFunds, usd("51"));
}

TEST(AccountPayOutTest, what_comes_first_answers) {
  given_nothing().when(pay_out(usd("0"))).then_not_found();
  given({CloseAccount{}}).when(pay_out(usd("0"))).then_invalid("/amount/amount");
  given({CloseAccount{}}).when(pay_out(usd("1"))).then_refused(RefusalReason::kAccountClosed);
  given({FreezeAccount{}}).when(pay_out(usd("1"))).then_refused(RefusalReason::kAccountFrozen);
}

// --- Credit notes and adjustments

TEST(AccountCreditNoteTest, check_d5_a_note_and_its_opposite_are_two_events) {
  auto story = given({top_up(usd("1"))});
  story.when(credit_note(usd("10.00")))
      .then({CreditNoteIssued{usd("10"), "goodwill", usd("11"), usd("11")}});
  story.when(credit_note(usd("-10.00")))
      .then({CreditNoteIssued{usd("-10"), "goodwill", usd("1"), usd("1")}});
  EXPECT_EQ(story.history().size(), 4U);
}

TEST(AccountCreditNoteTest, neither_notes_nor_adjustments_lack_funds_or_mind_a_freeze) {
  given({FreezeAccount{}}).when(credit_note(usd("-10"))).then_balance(usd("-10"), usd("-10"));
  given({FreezeAccount{}}).when(adjustment(usd("-10"))).then_balance(usd("-10"), usd("-10"));
}

TEST(AccountCreditNoteTest, zero_is_invalid_and_closed_is_refused) {
  given().when(credit_note(usd("0"))).then_invalid("/amount/amount", "zero");
  given().when(adjustment(usd("0"))).then_invalid("/amount/amount", "zero");
  given({CloseAccount{}})
      .when(credit_note(usd("1")))
      .then({refused("credit-note", RefusalReason::kAccountClosed, usd("1"))});
  given({CloseAccount{}})
      .when(adjustment(usd("1")))
      .then({refused("adjustment", RefusalReason::kAccountClosed, usd("1"))});
}

TEST(AccountCreditNoteTest, an_adjustment_keeps_its_attributes) {
  PostAdjustment command = adjustment(usd("-0.5"));
  command.attributes = {{"sku", "x"}};
  given().when(command).then(
      {AdjustmentPosted{usd("-0.5"), "recount", {{"sku", "x"}}, usd("-0.5"), usd("0")}});
  command.attributes.push_back({"sku", "y"});
  given().when(command).then_invalid("/attributes");
}

}  // namespace
}  // namespace daybook::domain
