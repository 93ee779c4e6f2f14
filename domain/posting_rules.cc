#include "domain/posting_rules.h"

#include "domain/base/check.h"

namespace daybook::domain {
namespace {

Money negated(const Money& money) {
  const auto amount = checked_negate(money.amount);
  CHECK(amount.has_value());
  return {*amount, money.currency};
}

/// What stands against the customer's balance when an event moves it.
std::optional<LedgerAccount> counter_account_of(const Event& event) {
  return std::visit(
      Overloaded{
          [](const BalanceToppedUp&) { return std::optional(LedgerAccount::kPaymentClearing); },
          [](const TopUpReversed&) { return std::optional(LedgerAccount::kPaymentClearing); },
          [](const BalancePaidOut&) { return std::optional(LedgerAccount::kPaymentClearing); },
          [](const ChargePosted&) { return std::optional(LedgerAccount::kRevenue); },
          [](const HoldCaptured&) { return std::optional(LedgerAccount::kRevenue); },
          [](const ChargeRefunded&) { return std::optional(LedgerAccount::kRevenue); },
          [](const CreditNoteIssued&) { return std::optional(LedgerAccount::kCreditNotes); },
          [](const AdjustmentPosted&) { return std::optional(LedgerAccount::kAdjustments); },
          [](const auto&) { return std::optional<LedgerAccount>(); },
      },
      event);
}

}  // namespace

std::string_view name_of(LedgerAccount account) {
  switch (account) {
    case LedgerAccount::kCustomerBalance:
      return "customer-balance";
    case LedgerAccount::kPaymentClearing:
      return "payment-clearing";
    case LedgerAccount::kRevenue:
      return "revenue";
    case LedgerAccount::kCreditNotes:
      return "credit-notes";
    case LedgerAccount::kAdjustments:
      return "adjustments";
  }
  CHECK(false);
}

std::optional<Money> balance_change_of(const Event& event) {
  using Change = std::optional<Money>;
  return std::visit(Overloaded{
                        [](const BalanceToppedUp& body) { return Change(body.amount); },
                        [](const TopUpReversed& body) { return Change(negated(body.amount)); },
                        [](const BalancePaidOut& body) { return Change(negated(body.amount)); },
                        [](const ChargePosted& body) { return Change(negated(body.amount)); },
                        [](const HoldCaptured& body) { return Change(negated(body.amount)); },
                        [](const ChargeRefunded& body) { return Change(body.amount); },
                        [](const CreditNoteIssued& body) { return Change(body.amount); },
                        [](const AdjustmentPosted& body) { return Change(body.amount); },
                        [](const auto&) { return Change(); },
                    },
                    event);
}

std::optional<Money> balance_after_of(const Event& event) {
  return std::visit(
      [](const auto& body) -> std::optional<Money> {
        if constexpr (requires { body.balance_after; }) {
          return body.balance_after;
        } else {
          return std::nullopt;
        }
      },
      event);
}

std::vector<Posting> postings_of(const Event& event, std::uint16_t rules_version) {
  CHECK(rules_version <= kPostingRulesVersion);
  const auto change = balance_change_of(event);
  if (!change) return {};
  const auto counter = counter_account_of(event);
  CHECK(counter.has_value());
  // The balance is a liability: a higher balance is a credit to it and a debit to its counterpart.
  return {{*counter, *change}, {LedgerAccount::kCustomerBalance, negated(*change)}};
}

}  // namespace daybook::domain
