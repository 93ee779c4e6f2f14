#include <algorithm>

#include "domain/account.h"
#include "domain/base/check.h"

namespace daybook::domain {
namespace {

Rejection account_not_found() { return {RejectionKind::kNotFound, "", "no such account"}; }
Rejection invalid(std::string pointer, std::string detail) {
  return {RejectionKind::kInvalid, std::move(pointer), std::move(detail)};
}
Rejection does_not_fit() {
  return invalid("/amount", "the resulting balance would not fit 26 digits");
}

bool is_in_range(Amount amount) {
  // 26 digits before the point: what was accepted as input can also be printed and read back.
  constexpr Amount kEnd = end_of_digits(kAmountIntegerDigits);
  return amount < kEnd && amount > Amount{-kEnd.units};
}

/// An account's values in one currency once its balance and holds have become these.
struct After {
  Money balance;
  Money held;
  Money available;  ///< Clamped at zero, as it is shown.
};

/// One decision about one account: the state, the facts, and the words in which answers are given.
class Decider {
 public:
  Decider(const AccountState& state, const AccountFacts& facts) : state_(state), facts_(facts) {
    CHECK(facts.account != nullptr && facts.catalogue != nullptr);
  }

  Outcome operator()(const OpenAccount& command) const {
    if (exists()) return refused("open", RefusalReason::kAccountExists);
    if (!is_active(command.currency)) return inactive("/currency");
    if (has_repeated_name(command.tags)) return invalid("/tags", "a tag is given twice");
    if (command.tags.size() > kTagsMax) return invalid("/tags", "too many tags");
    return done(AccountOpened{command.currency, command.mode, command.tags});
  }

  Outcome operator()(const FreezeAccount& command) const {
    if (!exists()) return account_not_found();
    if (is_closed()) return refused("freeze", RefusalReason::kAccountClosed);
    if (state_.status == AccountStatus::kFrozen) return unchanged();
    return done(AccountFrozen{command.reason});
  }

  Outcome operator()(const UnfreezeAccount& command) const {
    if (!exists()) return account_not_found();
    if (is_closed()) return refused("unfreeze", RefusalReason::kAccountClosed);
    if (state_.status == AccountStatus::kOpen) return unchanged();
    return done(AccountUnfrozen{command.reason});
  }

  Outcome operator()(const CloseAccount& command) const {
    if (!exists()) return account_not_found();
    if (is_closed()) return unchanged();
    if (!state_.holds.empty()) return refused("close", RefusalReason::kHoldsOpen);
    for (const auto& balance : state_.balances) {
      if (!balance.balance.is_zero()) return refused("close", RefusalReason::kBalanceNotZero);
    }
    return done(AccountClosed{command.reason});
  }

  Outcome operator()(const ReopenAccount& command) const {
    if (!exists()) return account_not_found();
    if (!is_closed()) return unchanged();
    // A freeze is lifted by unfreezing alone: closing and reopening is no way around it.
    return done(AccountReopened{
        command.reason, state_.frozen_when_closed ? AccountStatus::kFrozen : AccountStatus::kOpen});
  }

  Outcome operator()(const TopUp& command) const {
    if (!exists()) return account_not_found();
    if (auto wrong = check_payment(command.amount)) return *wrong;
    if (command.provider_payment_id && !command.provider) {
      return invalid("/provider", "a provider payment id needs its provider");
    }
    // Before all that may have changed since: a payment that counted is answered as it was then.
    if (facts_.claim != nullptr) return repeated_payment(command);
    if (!is_active(command.amount.currency)) return inactive("/amount/currency");
    const CurrencyEntry* entry = facts_.catalogue->find(command.amount.currency);
    if (entry != nullptr && entry->minimum_top_up &&
        command.amount.amount < *entry->minimum_top_up) {
      return invalid("/amount/amount", "below the minimum top-up of " +
                                           to_text(Money{*entry->minimum_top_up, entry->currency}));
    }
    if (is_closed()) return refused("top-up", RefusalReason::kAccountClosed, command.amount);
    const CurrencyBalance before = balance_of(state_, command.amount.currency);
    const auto after = moved(command.amount);
    if (!after) return does_not_fit();

    const Amount used = std::max(Amount{}, Amount{-before.balance.units});
    const Amount restored = std::min(used, command.amount.amount);
    Decision decision{{BalanceToppedUp{command.amount,
                                       command.provider,
                                       command.provider_payment_id,
                                       command.description,
                                       {restored, command.amount.currency},
                                       after->balance,
                                       after->available}},
                      std::nullopt,
                      std::nullopt};
    if (command.provider_payment_id) {
      decision.claim = PaymentClaimed{*command.provider,
                                      *command.provider_payment_id,
                                      command.amount,
                                      {*facts_.account, state_.version + 1}};
    }
    return decision;
  }

  Outcome operator()(const ReverseTopUp& command) const {
    if (!exists()) return account_not_found();
    const auto* top_up = referenced<BalanceToppedUp>();
    if (top_up == nullptr) return Rejection{RejectionKind::kNotFound, "", "no such top-up"};
    if (is_closed()) return refused("reverse", RefusalReason::kAccountClosed, top_up->amount);
    if (facts_.latest_reference != nullptr) {
      return refused("reverse", RefusalReason::kAlreadyReversed, top_up->amount);
    }
    const auto after = moved(negated(top_up->amount));
    if (!after) return does_not_fit();
    return done(TopUpReversed{command.top_up, top_up->amount, command.reason, after->balance,
                              after->available});
  }

  Outcome operator()(const PostCharge& command) const {
    if (!exists()) return account_not_found();
    if (auto wrong = check_positive(command.amount)) return *wrong;
    if (!is_active(command.amount.currency)) return inactive("/amount/currency");
    if (auto wrong = check_attributes(command.attributes)) return *wrong;
    const CurrencyBalance before = balance_of(state_, command.amount.currency);
    const EffectiveLimit limit = effective_limit(before, *facts_.catalogue);
    const auto refuse = [&](RefusalReason reason, std::optional<Money> short_by) -> Outcome {
      return done(ChargeRefused{command.amount,
                                reason,
                                short_by,
                                command.description,
                                command.service,
                                {limit.amount, before.currency},
                                limit.source,
                                facts_.catalogue->version});
    };
    if (is_closed()) return refuse(RefusalReason::kAccountClosed, std::nullopt);
    const bool is_strict = command.enforce == Enforcement::kStrict;
    if (is_strict && state_.status == AccountStatus::kFrozen) {
      return refuse(RefusalReason::kAccountFrozen, std::nullopt);
    }
    const Amount available = available_of(before, limit.amount);
    if (is_strict && command.amount.amount > available) {
      const auto short_by = checked_subtract(command.amount.amount, available);
      if (!short_by) return does_not_fit();
      return refuse(RefusalReason::kInsufficientFunds, Money{*short_by, before.currency});
    }
    const auto after = moved(negated(command.amount));
    if (!after) return does_not_fit();
    const auto [from_balance, from_credit] = split(before, command.amount);
    return done(ChargePosted{command.amount,
                             command.enforce,
                             command.description,
                             command.service,
                             command.attributes,
                             from_balance,
                             from_credit,
                             after->balance,
                             after->available,
                             {limit.amount, before.currency},
                             limit.source,
                             facts_.catalogue->version});
  }

  Outcome operator()(const PlaceHold& command) const {
    if (!exists()) return account_not_found();
    if (auto wrong = check_positive(command.amount)) return *wrong;
    if (!is_active(command.amount.currency)) return inactive("/amount/currency");
    if (command.expires_at && *command.expires_at <= facts_.now) {
      return invalid("/expires_at", "must lie in the future");
    }
    if (is_closed()) return refused("hold", RefusalReason::kAccountClosed, command.amount);
    if (state_.status == AccountStatus::kFrozen) {
      return refused("hold", RefusalReason::kAccountFrozen, command.amount);
    }
    if (state_.holds.size() >= kOpenHoldsMax) {
      return refused("hold", RefusalReason::kLimitReached, command.amount);
    }
    const CurrencyBalance before = balance_of(state_, command.amount.currency);
    const EffectiveLimit limit = effective_limit(before, *facts_.catalogue);
    const Amount available = available_of(before, limit.amount);
    if (command.amount.amount > available) {
      const auto short_by = checked_subtract(command.amount.amount, available);
      if (!short_by) return does_not_fit();
      return refused("hold", RefusalReason::kInsufficientFunds, command.amount,
                     Money{*short_by, before.currency});
    }
    const auto after = moved({Amount{}, command.amount.currency}, command.amount.amount);
    if (!after) return does_not_fit();
    return done(HoldPlaced{{state_.version + 1},
                           command.amount,
                           command.expires_at,
                           command.description,
                           command.service,
                           after->held,
                           after->available,
                           {limit.amount, before.currency},
                           limit.source,
                           facts_.catalogue->version});
  }

  Outcome operator()(const CaptureHold& command) const {
    if (!exists()) return account_not_found();
    const auto* placed = referenced<HoldPlaced>();
    if (placed == nullptr) return no_such_hold();
    const Money amount = command.amount.value_or(placed->amount);
    if (amount.currency != placed->amount.currency) {
      return invalid("/amount/currency",
                     "the hold is in " + std::string(placed->amount.currency.code()));
    }
    if (command.amount) {
      if (auto wrong = check_positive(amount)) return *wrong;
    }
    const OpenHold* hold = open_hold(command.hold);
    if (hold == nullptr) return refused("capture", RefusalReason::kHoldNotOpen);
    if (amount.amount > hold->amount.amount) {
      return exceeds("capture", amount, hold->amount.amount);
    }
    const CurrencyBalance before = balance_of(state_, amount.currency);
    const auto after = moved(negated(amount), Amount{-hold->amount.amount.units});
    if (!after) return does_not_fit();
    const auto [from_balance, from_credit] = split(before, amount);
    const Money released{Amount{hold->amount.amount.units - amount.amount.units}, amount.currency};
    return done(HoldCaptured{command.hold, amount, released, command.description, hold->service,
                             from_balance, from_credit, after->balance, after->held,
                             after->available});
  }

  Outcome operator()(const ReleaseHold& command) const {
    if (!exists()) return account_not_found();
    if (referenced<HoldPlaced>() == nullptr) return no_such_hold();
    const OpenHold* hold = open_hold(command.hold);
    if (hold == nullptr) return refused("release", RefusalReason::kHoldNotOpen);
    const auto after = moved({Amount{}, hold->amount.currency}, Amount{-hold->amount.amount.units});
    if (!after) return does_not_fit();
    return done(
        HoldReleased{command.hold, hold->amount, command.reason, after->held, after->available});
  }

  Outcome operator()(const RefundCharge& command) const {
    if (!exists()) return account_not_found();
    const auto original = refundable();
    if (!original) return Rejection{RejectionKind::kNotFound, "/charge", "no such charge"};
    const Amount refunded = refunded_so_far();
    const Amount left{original->amount.units - refunded.units};
    const Money amount = command.amount.value_or(Money{left, original->currency});
    if (amount.currency != original->currency) {
      return invalid("/amount/currency",
                     "the charge is in " + std::string(original->currency.code()));
    }
    if (command.amount) {
      if (auto wrong = check_positive(amount)) return *wrong;
    }
    if (is_closed()) return refused("refund", RefusalReason::kAccountClosed, amount);
    if (amount.amount > left || left.is_zero()) {
      return exceeds("refund", amount, left);
    }
    const auto after = moved(amount);
    if (!after) return does_not_fit();
    return done(ChargeRefunded{command.charge,
                               amount,
                               {Amount{refunded.units + amount.amount.units}, amount.currency},
                               command.reason,
                               after->balance,
                               after->available});
  }

  Outcome operator()(const PayOutBalance& command) const {
    if (!exists()) return account_not_found();
    if (auto wrong = check_payment(command.amount)) return *wrong;
    if (is_closed()) return refused("payout", RefusalReason::kAccountClosed, command.amount);
    if (state_.status == AccountStatus::kFrozen) {
      return refused("payout", RefusalReason::kAccountFrozen, command.amount);
    }
    const CurrencyBalance before = balance_of(state_, command.amount.currency);
    const auto free = checked_subtract(before.balance, before.held);
    if (!free) return does_not_fit();
    if (command.amount.amount > *free) {
      const auto short_by = checked_subtract(command.amount.amount, *free);
      if (!short_by) return does_not_fit();
      return refused("payout", RefusalReason::kInsufficientFunds, command.amount,
                     Money{*short_by, before.currency});
    }
    const auto after = moved(negated(command.amount));
    if (!after) return does_not_fit();
    return done(
        BalancePaidOut{command.amount, command.description, after->balance, after->available});
  }

  Outcome operator()(const IssueCreditNote& command) const {
    if (!exists()) return account_not_found();
    if (auto wrong = check_not_zero(command.amount)) return *wrong;
    if (is_closed()) return refused("credit-note", RefusalReason::kAccountClosed, command.amount);
    const auto after = moved(command.amount);
    if (!after) return does_not_fit();
    return done(CreditNoteIssued{command.amount, command.reason, after->balance, after->available});
  }

  Outcome operator()(const PostAdjustment& command) const {
    if (!exists()) return account_not_found();
    if (auto wrong = check_not_zero(command.amount)) return *wrong;
    if (auto wrong = check_attributes(command.attributes)) return *wrong;
    if (is_closed()) return refused("adjustment", RefusalReason::kAccountClosed, command.amount);
    const auto after = moved(command.amount);
    if (!after) return does_not_fit();
    return done(AdjustmentPosted{command.amount, command.reason, command.attributes, after->balance,
                                 after->available});
  }

  Outcome operator()(const SetCreditLimit& command) const {
    if (!exists()) return account_not_found();
    if (command.amount.amount.is_negative()) {
      return invalid("/amount/amount", "a credit limit is not negative");
    }
    if (command.amount.amount >= kCreditLimitEnd) {
      return invalid("/amount/amount", "a credit limit has at most 25 digits before the point");
    }
    if (!is_active(command.amount.currency)) return inactive("/amount/currency");
    if (is_closed()) return refused("credit-limit", RefusalReason::kAccountClosed, command.amount);
    CurrencyBalance after = balance_of(state_, command.amount.currency);
    if (after.limit_override == command.amount.amount) return unchanged();
    std::optional<Money> previous;
    if (after.limit_override) previous = Money{*after.limit_override, after.currency};
    after.limit_override = command.amount.amount;
    return done(CreditLimitSet{command.amount, previous, command.reason, shown_available(after)});
  }

  Outcome operator()(const ClearCreditLimit& command) const {
    if (!exists()) return account_not_found();
    CurrencyBalance after = balance_of(state_, command.currency.value_or(state_.currency));
    if (is_closed()) return refused("credit-limit", RefusalReason::kAccountClosed);
    if (!after.limit_override) return unchanged();
    const Money previous{*after.limit_override, after.currency};
    after.limit_override.reset();
    return done(CreditLimitCleared{previous, command.reason, shown_available(after)});
  }

  Outcome operator()(const SetTag& command) const {
    if (!exists()) return account_not_found();
    if (is_closed()) return refused("tag", RefusalReason::kAccountClosed);
    const AccountTag* before = tag(command.service, command.tag);
    if (before != nullptr && before->value == command.value && has_same_extra(*before, command)) {
      return unchanged();
    }
    if (before == nullptr && state_.tags.size() >= kTagsMax) {
      return refused("tag", RefusalReason::kLimitReached);
    }
    return done(TagSet{command.service, command.tag, command.value, command.extra,
                       before == nullptr ? std::nullopt : before->value});
  }

  Outcome operator()(const RemoveTag& command) const {
    if (!exists()) return account_not_found();
    if (is_closed()) return refused("tag", RefusalReason::kAccountClosed);
    const AccountTag* before = tag(command.service, command.tag);
    if (before == nullptr) {
      if (command.tag != kAutoCreditTag) {
        return Rejection{RejectionKind::kNotFound, "", "no such tag"};
      }
      if (state_.tags.size() >= kTagsMax) return refused("tag", RefusalReason::kLimitReached);
      return done(TagRemoved{command.service, command.tag, std::nullopt});
    }
    if (!before->value) return unchanged();
    return done(TagRemoved{command.service, command.tag, before->value});
  }

  Outcome operator()(const NoteUsage& command) const {
    if (!exists()) return account_not_found();
    if (auto wrong = check_attributes(command.attributes)) return *wrong;
    if (is_closed()) return refused("usage-fact", RefusalReason::kAccountClosed);
    return done(UsageNoted{command.description, command.service, command.attributes});
  }

  Outcome operator()(const ErasePrivateData& command) const {
    if (!exists()) return account_not_found();
    if (!state_.has_private_values) return unchanged();
    return done(PrivateDataErased{command.reason});
  }

  Outcome operator()(const SettleAccount&) const { return Decision{}; }

 private:
  bool exists() const { return state_.status != AccountStatus::kNone; }
  bool is_closed() const { return state_.status == AccountStatus::kClosed; }
  bool is_active(Currency currency) const {
    const CurrencyEntry* entry = facts_.catalogue->find(currency);
    return entry == nullptr || entry->status == CurrencyStatus::kActive;
  }
  static Rejection inactive(std::string pointer) {
    return invalid(std::move(pointer), "the currency is inactive");
  }

  static Decision done(Event event) {
    Decision decision;
    decision.events.push_back(std::move(event));
    return decision;
  }
  Decision unchanged(std::optional<EventRef> of = std::nullopt) const {
    return facts_.keyed ? done(NoChange{of}) : Decision{};
  }
  static Decision refused(std::string command, RefusalReason reason,
                          std::optional<Money> amount = std::nullopt,
                          std::optional<Money> short_by = std::nullopt) {
    return done(CommandRefused{std::move(command), reason, amount, short_by});
  }

  /// REQUIRES: amount >= left >= 0.
  static Decision exceeds(std::string command, const Money& amount, Amount left) {
    return refused(std::move(command), RefusalReason::kExceedsOriginal, amount,
                   Money{Amount{amount.amount.units - left.units}, amount.currency});
  }

  /// Names become the members of one JSON object: twice the same would have no public form.
  template <class Named>
  static bool has_repeated_name(const std::vector<Named>& values) {
    if (values.size() < 2) return false;
    std::vector<std::string_view> names;
    names.reserve(values.size());
    for (const auto& value : values) names.push_back(value.name);
    std::sort(names.begin(), names.end());
    return std::adjacent_find(names.begin(), names.end()) != names.end();
  }
  static std::optional<Rejection> check_attributes(const Attributes& attributes) {
    if (has_repeated_name(attributes)) return invalid("/attributes", "a name is given twice");
    return std::nullopt;
  }
  static std::optional<Rejection> check_positive(const Money& money) {
    if (!money.amount.is_positive()) return invalid("/amount/amount", "must be above zero");
    return std::nullopt;
  }
  static std::optional<Rejection> check_not_zero(const Money& money) {
    if (money.amount.is_zero()) return invalid("/amount/amount", "must not be zero");
    return std::nullopt;
  }
  /// Money that moves through a payment provider comes in whole minor units.
  static std::optional<Rejection> check_payment(const Money& money) {
    if (auto wrong = check_positive(money)) return wrong;
    if (!is_whole_minor_units(money.amount, money.currency)) {
      return invalid("/amount/amount", "a payment has at most " +
                                           std::to_string(money.currency.exponent()) +
                                           " decimals in " + std::string(money.currency.code()));
    }
    return std::nullopt;
  }

  Outcome repeated_payment(const TopUp& command) const {
    const PaymentClaimed& claim = *facts_.claim;
    if (claim.amount != command.amount || claim.top_up.account != *facts_.account) {
      return refused("top-up", RefusalReason::kPaymentConflict, command.amount);
    }
    return done(NoChange{EventRef{claim.top_up.version}});
  }

  static Money negated(const Money& money) {
    // Input has at most 38 digits, so the negation always fits.
    return {*checked_negate(money.amount), money.currency};
  }

  Money shown_available(const CurrencyBalance& balance) const {
    const EffectiveLimit limit = effective_limit(balance, *facts_.catalogue);
    return {std::max(available_of(balance, limit.amount), Amount{}), balance.currency};
  }

  /// The account's values after `change` to the balance and `held_change` to the holds.
  std::optional<After> moved(const Money& change, Amount held_change = {}) const {
    CurrencyBalance balance = balance_of(state_, change.currency);
    const auto new_balance = checked_add(balance.balance, change.amount);
    const auto new_held = checked_add(balance.held, held_change);
    if (!new_balance || !new_held || !is_in_range(*new_balance) || !is_in_range(*new_held)) {
      return std::nullopt;
    }
    const auto free = checked_subtract(*new_balance, *new_held);
    if (!free || !is_in_range(*free)) return std::nullopt;
    balance.balance = *new_balance;
    balance.held = *new_held;
    CHECK(!balance.held.is_negative());
    return After{{balance.balance, change.currency},
                 {balance.held, change.currency},
                 shown_available(balance)};
  }

  /// Own balance first, then credit (sources.md R7).
  static std::pair<Money, Money> split(const CurrencyBalance& before, const Money& amount) {
    const Amount own = std::max(before.balance, Amount{});
    const Amount from_balance = std::min(own, amount.amount);
    return {{from_balance, amount.currency},
            {Amount{amount.amount.units - from_balance.units}, amount.currency}};
  }

  const OpenHold* open_hold(EventRef hold) const {
    for (const auto& open : state_.holds) {
      if (open.version == hold.version) return &open;
    }
    return nullptr;
  }
  /// Of one that was never placed; one that has ended is refused.
  static Outcome no_such_hold() { return Rejection{RejectionKind::kNotFound, "", "no such hold"}; }

  template <class Body>
  const Body* referenced() const {
    return facts_.referenced == nullptr ? nullptr : std::get_if<Body>(&facts_.referenced->event);
  }
  std::optional<Money> refundable() const {
    if (const auto* charge = referenced<ChargePosted>()) return charge->amount;
    if (const auto* capture = referenced<HoldCaptured>()) return capture->amount;
    return std::nullopt;
  }
  Amount refunded_so_far() const {
    if (facts_.latest_reference == nullptr) return {};
    const auto* refund = std::get_if<ChargeRefunded>(&facts_.latest_reference->event);
    CHECK(refund != nullptr);
    return refund->refunded_total.amount;
  }

  const AccountTag* tag(const std::optional<std::string>& service, std::string_view name) const {
    for (const auto& candidate : state_.tags) {
      if (candidate.service == service && candidate.name == name) return &candidate;
    }
    return nullptr;
  }

  static bool has_same_extra(const AccountTag& before, const SetTag& command) {
    if (!before.extra || !command.extra) return before.extra == command.extra;
    return before.extra == command.same_as;
  }

  const AccountState& state_;
  const AccountFacts& facts_;
};

}  // namespace

Outcome decide(const AccountCommand& command, const AccountState& state,
               const AccountFacts& facts) {
  return std::visit(Decider(state, facts), command);
}

}  // namespace daybook::domain
