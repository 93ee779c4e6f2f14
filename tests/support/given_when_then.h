#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "domain/account.h"
#include "domain/posting_rules.h"
#include "tests/support/controls.h"
#include "tests/support/describe.h"

/// Tests of the account decider in the words of its specification:
///
///   given({top_up(usd("10"))}).when(charge(usd("10.01"))).then({ChargeRefused{...}});
///
/// A story keeps one account's whole history and looks up the facts of a command in it, as the log
/// index would. A test says what happened first, does one thing, and says what followed.
namespace daybook::test {

class Story {
 public:
  // --- Given

  /// Commands that must have succeeded; they are part of the past.
  Story& after(const std::vector<domain::AccountCommand>& commands) {
    for (const auto& command : commands) {
      when(command);
      EXPECT_FALSE(rejection_.has_value()) << "in the past: " << rejection_->detail;
      for (const auto& event : happened_) {
        EXPECT_FALSE(is_refusal(event)) << "in the past: " << describe(event);
      }
    }
    return *this;
  }
  Story& at(Instant now) {
    now_ = now;
    return *this;
  }
  Story& keyed(bool keyed = true) {
    keyed_ = keyed;
    return *this;
  }
  /// The tenant's terms of one currency, from here on.
  Story& with_currency(domain::CurrencyEntry entry) {
    std::erase_if(catalogue_.currencies, [&](const domain::CurrencyEntry& known) {
      return known.currency == entry.currency;
    });
    catalogue_.currencies.push_back(entry);
    ++catalogue_.version;
    return *this;
  }
  Story& with_default_limit(domain::Money limit) {
    return with_currency(
        {limit.currency, limit.amount, std::nullopt, domain::CurrencyStatus::kActive});
  }
  Story& with_inactive(std::string_view code) {
    return with_currency(
        {currency(code), std::nullopt, std::nullopt, domain::CurrencyStatus::kInactive});
  }
  /// The provider payment of the next top-up has been counted already.
  Story& with_claim(domain::PaymentClaimed claim) {
    claim_ = std::move(claim);
    return *this;
  }
  /// A state that no short history leads to.
  Story& with_state(domain::AccountState state) {
    state_ = std::move(state);
    return *this;
  }

  // --- When

  Story& when(const domain::AccountCommand& command) {
    happened_.clear();
    rejection_.reset();
    decision_ = {};
    for (auto& event : settle(state_, catalogue_, now_)) append(std::move(event));
    const AccountId account = account_id();
    domain::AccountFacts facts;
    facts.now = now_;
    facts.account = &account;
    facts.catalogue = &catalogue_;
    facts.keyed = keyed_;
    const auto named = version_named_by(command);
    if (named) {
      facts.referenced = event(*named);
      facts.latest_reference = latest_reference_to(*named);
    }
    const auto claim = claim_for(command);
    if (claim) facts.claim = &*claim;
    auto outcome = decide(command, state_, facts);
    if (auto* rejection = std::get_if<domain::Rejection>(&outcome)) {
      rejection_ = std::move(*rejection);
      return *this;
    }
    decision_ = std::get<domain::Decision>(std::move(outcome));
    if (decision_.claim) claims_.push_back(*decision_.claim);
    for (const auto& event : decision_.events) append(event);
    return *this;
  }

  // --- Then

  /// Exactly these events, those of settling included.
  Story& then(const std::vector<domain::Event>& expected) {
    EXPECT_FALSE(rejection_.has_value()) << rejection_->pointer << ": " << rejection_->detail;
    EXPECT_EQ(happened_, expected) << "happened:\n"
                                   << describe(happened_) << "expected:\n"
                                   << describe(expected);
    return *this;
  }
  Story& then_nothing() { return then({}); }
  Story& then_rejected(domain::RejectionKind kind, std::string_view pointer,
                       std::string_view part_of_detail = "") {
    if (!rejection_) {
      ADD_FAILURE() << "not rejected, but happened:\n" << describe(happened_);
      return *this;
    }
    EXPECT_EQ(rejection_->kind, kind) << rejection_->detail;
    EXPECT_EQ(rejection_->pointer, pointer) << rejection_->detail;
    EXPECT_NE(rejection_->detail.find(part_of_detail), std::string::npos) << rejection_->detail;
    return *this;
  }
  Story& then_invalid(std::string_view pointer, std::string_view part_of_detail = "") {
    return then_rejected(domain::RejectionKind::kInvalid, pointer, part_of_detail);
  }
  Story& then_not_found() { return then_rejected(domain::RejectionKind::kNotFound, ""); }
  /// The command was refused by an event with this reason.
  Story& then_refused(domain::RefusalReason reason,
                      std::optional<domain::Money> short_by = std::nullopt) {
    if (happened_.empty()) {
      ADD_FAILURE() << "nothing happened" << (rejection_ ? ": " + rejection_->detail : "");
      return *this;
    }
    const auto& last = happened_.back();
    if (const auto* no = std::get_if<domain::ChargeRefused>(&last)) {
      EXPECT_EQ(no->reason, reason) << describe(last);
      EXPECT_EQ(no->short_by, short_by) << describe(last);
    } else if (const auto* other = std::get_if<domain::CommandRefused>(&last)) {
      EXPECT_EQ(other->reason, reason) << describe(last);
      EXPECT_EQ(other->short_by, short_by) << describe(last);
    } else {
      ADD_FAILURE() << "not refused: " << describe(last);
    }
    return *this;
  }
  /// The last event, which must be of this type.
  template <class Body>
  Body last() const {
    if (happened_.empty() || !std::holds_alternative<Body>(happened_.back())) {
      ADD_FAILURE() << "no " << Body::kName << ", but " << (rejection_ ? rejection_->detail : "")
                    << "\n"
                    << describe(happened_);
      return {};
    }
    return std::get<Body>(happened_.back());
  }
  Story& then_balance(const domain::Money& balance, const domain::Money& available) {
    const auto held = balance_of(state_, balance.currency);
    EXPECT_EQ(to_text(domain::Money{held.balance, balance.currency}), to_text(balance));
    const auto free = available_of(held, effective_limit(held, catalogue_).amount);
    EXPECT_EQ(to_text(domain::Money{free, balance.currency}), to_text(available));
    return *this;
  }

  const domain::AccountState& state() const { return state_; }
  const domain::Catalogue& catalogue() const { return catalogue_; }
  const std::vector<domain::RecordedEvent>& history() const { return history_; }
  const std::vector<domain::Event>& happened() const { return happened_; }
  const std::optional<domain::Rejection>& rejection() const { return rejection_; }
  const domain::Decision& decision() const { return decision_; }
  Instant now() const { return now_; }

 private:
  static bool is_refusal(const domain::Event& event) {
    return std::holds_alternative<domain::ChargeRefused>(event) ||
           std::holds_alternative<domain::CommandRefused>(event);
  }

  void append(domain::Event event) {
    domain::RecordedEvent recorded;
    recorded.stream = domain::StreamId::account(tenant_id(), account_id());
    recorded.version = state_.version + 1;
    recorded.recorded_at = recorded.effective_at = now_;
    recorded.actor = "key:test";
    recorded.event = event;
    evolve(state_, recorded);
    history_.push_back(std::move(recorded));
    happened_.push_back(std::move(event));
  }
  const domain::RecordedEvent* event(std::uint64_t version) const {
    for (const auto& recorded : history_) {
      if (recorded.version == version) return &recorded;
    }
    return nullptr;
  }
  const domain::RecordedEvent* latest_reference_to(std::uint64_t version) const {
    const domain::RecordedEvent* latest = nullptr;
    for (const auto& recorded : history_) {
      const auto* refund = std::get_if<domain::ChargeRefunded>(&recorded.event);
      const auto* reversal = std::get_if<domain::TopUpReversed>(&recorded.event);
      if ((refund != nullptr && refund->charge.version == version) ||
          (reversal != nullptr && reversal->top_up.version == version)) {
        latest = &recorded;
      }
    }
    return latest;
  }
  static std::optional<std::uint64_t> version_named_by(const domain::AccountCommand& command) {
    using Version = std::optional<std::uint64_t>;
    return std::visit(
        domain::Overloaded{
            [](const domain::RefundCharge& body) { return Version(body.charge.version); },
            [](const domain::ReverseTopUp& body) { return Version(body.top_up.version); },
            [](const domain::CaptureHold& body) { return Version(body.hold.version); },
            [](const domain::ReleaseHold& body) { return Version(body.hold.version); },
            [](const auto&) { return Version(); },
        },
        command);
  }
  std::optional<domain::PaymentClaimed> claim_for(const domain::AccountCommand& command) const {
    if (claim_) return claim_;
    const auto* top_up = std::get_if<domain::TopUp>(&command);
    if (top_up == nullptr || !top_up->provider_payment_id) return std::nullopt;
    for (const auto& claim : claims_) {
      if (claim.provider == top_up->provider &&
          claim.provider_payment_id == *top_up->provider_payment_id) {
        return claim;
      }
    }
    return std::nullopt;
  }

  domain::AccountState state_;
  domain::Catalogue catalogue_;
  Instant now_ = morning();
  bool keyed_ = true;
  std::optional<domain::PaymentClaimed> claim_;
  std::vector<domain::PaymentClaimed> claims_;
  std::vector<domain::RecordedEvent> history_;
  std::vector<domain::Event> happened_;
  std::optional<domain::Rejection> rejection_;
  domain::Decision decision_;
};

/// An account in US dollars (version 1) to which these commands have happened.
inline Story given(const std::vector<domain::AccountCommand>& commands = {}) {
  Story story;
  story.after({open("USD")});
  story.after(commands);
  return story;
}
/// No account at all.
inline Story given_nothing() { return {}; }

}  // namespace daybook::test
