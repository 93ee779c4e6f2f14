#include "domain/posting_rules.h"

#include <gtest/gtest.h>

#include "tests/support/controls.h"

namespace daybook::domain {
namespace {

using test::usd;
using enum LedgerAccount;

std::vector<Posting> booked(LedgerAccount debit, LedgerAccount credit, std::string_view text) {
  const Money amount = usd(text);
  return {{debit, amount}, {credit, {*checked_negate(amount.amount), amount.currency}}};
}

TEST(PostingRulesTest, every_movement_is_booked_between_two_ledger_accounts) {
  const Money ten = usd("10");
  const auto of = [](const Event& event) { return postings_of(event, kPostingRulesVersion); };
  // Dr debit, Cr credit: the counterpart is written first with the sign of the balance's change.
  EXPECT_EQ(of(BalanceToppedUp{ten, {}, {}, {}, {}, {}, {}}),
            booked(kPaymentClearing, kCustomerBalance, "10"));
  EXPECT_EQ(of(TopUpReversed{{2}, ten, {}, {}, {}}),
            booked(kPaymentClearing, kCustomerBalance, "-10"));
  EXPECT_EQ(of(BalancePaidOut{ten, {}, {}, {}}), booked(kPaymentClearing, kCustomerBalance, "-10"));
  ChargePosted charged;
  charged.amount = ten;
  EXPECT_EQ(of(charged), booked(kRevenue, kCustomerBalance, "-10"));
  HoldCaptured captured;
  captured.amount = ten;
  captured.released = usd("5");
  EXPECT_EQ(of(captured), booked(kRevenue, kCustomerBalance, "-10"));
  EXPECT_EQ(of(ChargeRefunded{{2}, ten, ten, "r", {}, {}}),
            booked(kRevenue, kCustomerBalance, "10"));
  EXPECT_EQ(of(CreditNoteIssued{ten, "r", {}, {}}), booked(kCreditNotes, kCustomerBalance, "10"));
  EXPECT_EQ(of(CreditNoteIssued{usd("-10"), "r", {}, {}}),
            booked(kCreditNotes, kCustomerBalance, "-10"));
  EXPECT_EQ(of(AdjustmentPosted{ten, "r", {}, {}, {}}),
            booked(kAdjustments, kCustomerBalance, "10"));
}

TEST(PostingRulesTest, what_moves_no_money_makes_no_posting) {
  HoldPlaced placed;
  placed.amount = usd("10");
  ChargeRefused no;
  no.amount = usd("10");
  for (const Event& event :
       {Event(AccountOpened{}), Event(placed), Event(HoldReleased{}), Event(HoldExpired{}),
        Event(no), Event(CommandRefused{"hold", RefusalReason::kHoldsOpen, usd("1"), usd("1")}),
        Event(NoChange{}), Event(CreditLimitSet{}), Event(CreditLimitCleared{}), Event(TagSet{}),
        Event(TagRemoved{}), Event(UsageNoted{}), Event(PaymentClaimed{"p", "i", usd("1"), {}}),
        Event(CurrencySet{}), Event(TenantCreated{})}) {
    EXPECT_TRUE(postings_of(event, kPostingRulesVersion).empty()) << name_of(event);
    EXPECT_EQ(balance_change_of(event), std::nullopt) << name_of(event);
    EXPECT_EQ(balance_after_of(event), std::nullopt) << name_of(event);
  }
}

TEST(PostingRulesTest, the_balance_after_is_the_events_own_word) {
  EXPECT_EQ(balance_after_of(CreditNoteIssued{usd("1"), "r", usd("7"), usd("9")}), usd("7"));
}

TEST(PostingRulesTest, every_ledger_account_has_a_name) {
  EXPECT_EQ(name_of(kCustomerBalance), "customer-balance");
  EXPECT_EQ(name_of(kPaymentClearing), "payment-clearing");
  EXPECT_EQ(name_of(kRevenue), "revenue");
  EXPECT_EQ(name_of(kCreditNotes), "credit-notes");
  EXPECT_EQ(name_of(kAdjustments), "adjustments");
}

TEST(PostingRulesDeathTest, rules_of_the_future_are_a_bug) {
  EXPECT_DEATH(postings_of(NoChange{}, kPostingRulesVersion + 1), "CHECK");
}

}  // namespace
}  // namespace daybook::domain
