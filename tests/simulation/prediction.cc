#include <algorithm>
#include <utility>
#include <variant>

#include "tests/simulation/model.h"
#include "tests/simulation/trace.h"

/// How the model answers: every rule of every command, in the order in which a client is told.
namespace daybook::simulation {
namespace {

using eventstore::AnswerKind;
using eventstore::Command;
namespace d = domain;

Model::Balance balance_in(const Model::Account& account, d::Currency currency) {
  for (const auto& balance : account.balances) {
    if (balance.currency == currency) return balance;
  }
  return {currency, 0, 0, std::nullopt};
}

std::optional<Int> sum(Int left, Int right) {
  Int result = 0;
  if (__builtin_add_overflow(left, right, &result)) return std::nullopt;
  return result;
}

}  // namespace

/// One prediction: the account or tenant as it is, the command, and the words of the answers.
class Prediction {
 public:
  Prediction(const Model& model, const Command& command, Instant now)
      : model_(model), command_(command), now_(now), keyed_(!command.idempotency_key.empty()) {
    const auto tenant = model.tenants_.find(command.tenant.value());
    if (tenant != model.tenants_.end()) tenant_ = tenant->second;
  }

  Predicted run() {
    const bool is_account = command_.is_account_command();
    if (is_account) {
      const auto* account = model_.account(command_.stream());
      if (account != nullptr) account_ = *account;
    }
    version_ = is_account ? account_.version : tenant_.version;
    if (found_key()) return out_;
    if (is_account) settle();
    out_.settled = out_.events.size();
    out_.settled_version = out_.version = version_;
    if (command_.if_match && *command_.if_match != version_) {
      out_.kind = AnswerKind::kVersionMismatch;
      return out_;
    }
    if (command_.effective_at && *command_.effective_at > now_) {
      reject(d::RejectionKind::kInvalid, "/effective_at");
      return out_;
    }
    if (is_account) {
      std::visit([&](const auto& body) { decide(body); }, std::get<0>(command_.body));
    } else {
      std::visit([&](const auto& body) { decide(body); }, std::get<1>(command_.body));
    }
    out_.version = version_;
    return out_;
  }

 private:
  bool found_key() {
    if (!keyed_) return false;
    const auto position = model_.position_of_key(command_.stream(), command_.idempotency_key);
    if (!position) return false;
    const auto& event = model_.log_[*position];
    out_.version = version_;
    out_.event = position;
    out_.kind =
        event.fingerprint == command_.fingerprint ? AnswerKind::kReplayed : AnswerKind::kKeyReused;
    const auto* repeat = std::get_if<d::NoChange>(&event.event);
    if (repeat != nullptr && repeat->of) {
      out_.original = model_.position_of(command_.stream(), repeat->of->version);
    }
    return true;
  }

  // --- What is written

  d::RecordedEvent envelope(d::StreamId stream, std::uint64_t version, d::Event body) const {
    return {std::move(stream), version, now_, now_, command_.actor, "", 0, 1, std::move(body)};
  }
  void settle() {
    while (true) {
      const Model::Hold* due = nullptr;
      std::uint64_t due_version = 0;
      for (const auto& [version, hold] : account_.holds) {
        if (!hold.expires_at || *hold.expires_at > now_) continue;
        if (due != nullptr && *due->expires_at <= *hold.expires_at) continue;
        due = &hold;
        due_version = version;
      }
      if (due == nullptr) return;
      Model::Balance after = balance_in(account_, due->amount.currency);
      after.held -= due->amount.amount.units;
      auto event =
          envelope(command_.stream(), version_ + 1,
                   d::HoldExpired{{due_version},
                                  due->amount,
                                  *due->expires_at,
                                  money(after.held, after.currency),
                                  money(std::max<Int>(available(after), 0), after.currency)});
      event.actor = "system";
      out_.events.push_back(event);
      fold(account_, event);
      version_ = event.version;
    }
  }
  /// The event that answers.
  void write(d::Event body) {
    auto event = envelope(command_.stream(), ++version_, std::move(body));
    if (command_.effective_at) event.effective_at = *command_.effective_at;
    if (keyed_) {
      event.idempotency_key = command_.idempotency_key;
      event.fingerprint = command_.fingerprint;
    }
    out_.kind = AnswerKind::kRecorded;
    out_.event = model_.log_.size() + out_.events.size();
    out_.events.push_back(std::move(event));
  }
  void refuse(const char* word, d::RefusalReason reason, std::optional<d::Money> amount = {},
              std::optional<d::Money> short_by = {}) {
    out_.is_refusal = true;
    write(d::CommandRefused{word, reason, amount, short_by});
  }
  void reject(d::RejectionKind kind, std::string pointer) {
    out_.kind = AnswerKind::kRejected;
    out_.rejection = kind;
    out_.pointer = std::move(pointer);
  }
  void invalid(const char* pointer) { reject(d::RejectionKind::kInvalid, pointer); }
  void not_found(const char* pointer = "") { reject(d::RejectionKind::kNotFound, pointer); }
  void nothing(std::optional<d::EventRef> of = {}) {
    out_.kind = AnswerKind::kUnchanged;
    if (keyed_) write(d::NoChange{of});
  }

  // --- Numbers

  static d::Money money(Int units, d::Currency currency) { return {d::Amount{units}, currency}; }
  const Model::Currency* terms(d::Currency currency) const {
    const auto found = tenant_.currencies.find(std::string(currency.code()));
    return found == tenant_.currencies.end() ? nullptr : &found->second;
  }
  std::pair<Int, d::CreditLimitSource> limit(const Model::Balance& balance) const {
    if (balance.limit) return {*balance.limit, d::CreditLimitSource::kAccount};
    const auto* known = terms(balance.currency);
    if (known == nullptr || !known->default_limit) return {0, d::CreditLimitSource::kNone};
    return {*known->default_limit, d::CreditLimitSource::kCurrencyDefault};
  }
  /// Exact, and there for every account that the ledger lets come about.
  Int available(const Model::Balance& balance) const {
    using Wide = std::pair<Int, Int>;  // high * 10^20 + low: nothing of it can overflow.
    static const Int kSplit = units_of("100000000");
    Wide wide{0, 0};
    for (const Int part : {balance.balance, limit(balance).first, -balance.held}) {
      wide.first += part / kSplit;
      wide.second += part % kSplit;
    }
    wide.first += wide.second / kSplit;
    wide.second %= kSplit;
    const Int most = units_of("99999999999999999999999999") / kSplit;
    require(wide.first <= most + most / 2 && wide.first >= -most - most / 2,
            "an account whose available does not fit came about");
    return wide.first * kSplit + wide.second;
  }
  struct After {
    d::Money balance, held, available;
  };
  std::optional<After> after(d::Currency currency, Int change, Int held_change = 0) const {
    static const Int kEnd = units_of("99999999999999999999999999.999999999999");
    Model::Balance next = balance_in(account_, currency);
    const auto balance = sum(next.balance, change);
    const auto held = sum(next.held, held_change);
    if (!balance || !held || *balance > kEnd || *balance < -kEnd || *held > kEnd) return {};
    if (*balance < 0 && *held > kEnd + *balance) return {};  // balance - held
    next.balance = *balance;
    next.held = *held;
    return After{money(*balance, currency), money(*held, currency),
                 money(std::max<Int>(available(next), 0), currency)};
  }
  static bool is_too_high(const d::Money& limit) {
    return limit.amount.units > units_of("9999999999999999999999999.999999999999");
  }
  bool is_active(d::Currency currency) const {
    const auto* known = terms(currency);
    return known == nullptr || known->status == d::CurrencyStatus::kActive;
  }
  static int exponent(d::Currency currency) {
    if (currency.code() == "JPY") return 0;
    return currency.code() == "KWD" ? 3 : 2;
  }

  // --- Checks; each answers the command when it fails

  bool open() {
    if (account_.version != 0) return true;
    not_found();
    return false;
  }
  bool positive(const d::Money& amount) {
    if (amount.amount.units > 0) return true;
    invalid("/amount/amount");
    return false;
  }
  bool not_zero(const d::Money& amount) {
    if (amount.amount.units != 0) return true;
    invalid("/amount/amount");
    return false;
  }
  bool payment(const d::Money& amount) {
    if (!positive(amount)) return false;
    Int unit = 1;
    for (int i = exponent(amount.currency); i < 12; ++i) unit *= 10;
    if (amount.amount.units % unit == 0) return true;
    invalid("/amount/amount");
    return false;
  }
  bool not_closed(const char* word, std::optional<d::Money> amount = {}) {
    if (account_.status != d::AccountStatus::kClosed) return true;
    refuse(word, d::RefusalReason::kAccountClosed, amount);
    return false;
  }
  bool is_frozen() const { return account_.status == d::AccountStatus::kFrozen; }
  const d::RecordedEvent* event_at(std::uint64_t version) const {
    // Not the events that settling has just written: nobody can name them yet.
    const auto position = model_.position_of(command_.stream(), version);
    return position ? &model_.log_[*position] : nullptr;
  }

  // --- Account commands

  void decide(const d::OpenAccount& body) {
    if (account_.version != 0) return refuse("open", d::RefusalReason::kAccountExists);
    if (!is_active(body.currency)) return invalid("/currency");
    write(d::AccountOpened{body.currency, body.mode, body.tags});
  }
  void decide(const d::FreezeAccount& body) {
    if (!open() || !not_closed("freeze")) return;
    is_frozen() ? nothing() : write(d::AccountFrozen{body.reason});
  }
  void decide(const d::UnfreezeAccount& body) {
    if (!open() || !not_closed("unfreeze")) return;
    is_frozen() ? write(d::AccountUnfrozen{body.reason}) : nothing();
  }
  void decide(const d::CloseAccount& body) {
    if (!open()) return;
    if (account_.status == d::AccountStatus::kClosed) return nothing();
    if (!account_.holds.empty()) return refuse("close", d::RefusalReason::kHoldsOpen);
    for (const auto& balance : account_.balances) {
      if (balance.balance != 0) return refuse("close", d::RefusalReason::kBalanceNotZero);
    }
    write(d::AccountClosed{body.reason});
  }
  void decide(const d::ReopenAccount& body) {
    if (!open()) return;
    if (account_.status != d::AccountStatus::kClosed) return nothing();
    write(d::AccountReopened{
        body.reason, account_.frozen ? d::AccountStatus::kFrozen : d::AccountStatus::kOpen});
  }
  void decide(const d::TopUp& body) {
    if (!open() || !payment(body.amount)) return;
    if (body.provider_payment_id) {
      const auto stream =
          d::StreamId::payment(command_.tenant, *body.provider, *body.provider_payment_id);
      if (const auto claimed = model_.position_of(stream, 1)) return repeat(body, *claimed);
    }
    if (!is_active(body.amount.currency)) return invalid("/amount/currency");
    const auto* known = terms(body.amount.currency);
    if (known != nullptr && known->minimum_top_up &&
        body.amount.amount.units < *known->minimum_top_up) {
      return invalid("/amount/amount");
    }
    if (!not_closed("top-up", body.amount)) return;
    const auto next = after(body.amount.currency, body.amount.amount.units);
    if (!next) return invalid("/amount");
    const Int debt = std::max<Int>(-balance_in(account_, body.amount.currency).balance, 0);
    if (body.provider_payment_id) {
      out_.events.push_back(envelope(
          d::StreamId::payment(command_.tenant, *body.provider, *body.provider_payment_id), 1,
          d::PaymentClaimed{*body.provider,
                            *body.provider_payment_id,
                            body.amount,
                            {command_.account, version_ + 1}}));
    }
    write(d::BalanceToppedUp{
        body.amount, body.provider, body.provider_payment_id, body.description,
        money(std::min<Int>(debt, body.amount.amount.units), body.amount.currency), next->balance,
        next->available});
  }
  void repeat(const d::TopUp& body, std::uint64_t claimed) {
    const auto& claim = std::get<d::PaymentClaimed>(model_.log_[claimed].event);
    if (claim.amount != body.amount || claim.top_up.account != command_.account) {
      return refuse("top-up", d::RefusalReason::kPaymentConflict, body.amount);
    }
    // Remembered even without a key: the answer is that of the first.
    write(d::NoChange{d::EventRef{claim.top_up.version}});
    out_.kind = AnswerKind::kReplayed;
    out_.original = claimed + 1;
  }
  void decide(const d::ReverseTopUp& body) {
    if (!open()) return;
    const auto* event = event_at(body.top_up.version);
    const auto* top_up =
        event == nullptr ? nullptr : std::get_if<d::BalanceToppedUp>(&event->event);
    if (top_up == nullptr) return not_found();
    if (!not_closed("reverse", top_up->amount)) return;
    if (account_.reversed.contains(body.top_up.version)) {
      return refuse("reverse", d::RefusalReason::kAlreadyReversed, top_up->amount);
    }
    const auto next = after(top_up->amount.currency, -top_up->amount.amount.units);
    if (!next) return invalid("/amount");
    write(
        d::TopUpReversed{body.top_up, top_up->amount, body.reason, next->balance, next->available});
  }
  void decide(const d::PostCharge& body) {
    if (!open() || !positive(body.amount)) return;
    if (!is_active(body.amount.currency)) return invalid("/amount/currency");
    const Model::Balance before = balance_in(account_, body.amount.currency);
    const Int free = available(before);
    const auto next = after(body.amount.currency, -body.amount.amount.units);
    const auto [limit_now, source] = limit(before);
    const auto no = [&, in_force = limit_now, from = source](d::RefusalReason reason,
                                                             std::optional<d::Money> short_by) {
      out_.is_refusal = true;
      write(d::ChargeRefused{body.amount, reason, short_by, body.description, body.service,
                             money(in_force, before.currency), from, tenant_.catalogue_version});
    };
    if (account_.status == d::AccountStatus::kClosed) {
      return no(d::RefusalReason::kAccountClosed, {});
    }
    if (body.enforce == d::Enforcement::kStrict) {
      if (is_frozen()) return no(d::RefusalReason::kAccountFrozen, {});
    }
    if (body.enforce == d::Enforcement::kStrict) {
      if (body.amount.amount.units > free) {
        const auto short_by = sum(body.amount.amount.units, -free);
        if (!short_by) return invalid("/amount");
        return no(d::RefusalReason::kInsufficientFunds, money(*short_by, before.currency));
      }
    }
    if (!next) return invalid("/amount");
    const Int own = std::min<Int>(std::max<Int>(before.balance, 0), body.amount.amount.units);
    write(d::ChargePosted{body.amount, body.enforce, body.description, body.service,
                          body.attributes, money(own, before.currency),
                          money(body.amount.amount.units - own, before.currency), next->balance,
                          next->available, money(limit_now, before.currency), source,
                          tenant_.catalogue_version});
  }
  void decide(const d::PlaceHold& body) {
    if (!open() || !positive(body.amount)) return;
    if (!is_active(body.amount.currency)) return invalid("/amount/currency");
    if (body.expires_at && *body.expires_at <= now_) return invalid("/expires_at");
    if (!not_closed("hold", body.amount)) return;
    if (is_frozen()) return refuse("hold", d::RefusalReason::kAccountFrozen, body.amount);
    const Model::Balance before = balance_in(account_, body.amount.currency);
    const Int free = available(before);
    const auto next = after(body.amount.currency, 0, body.amount.amount.units);
    if (body.amount.amount.units > free) {
      const auto short_by = sum(body.amount.amount.units, -free);
      if (!short_by) return invalid("/amount");
      return refuse("hold", d::RefusalReason::kInsufficientFunds, body.amount,
                    money(*short_by, before.currency));
    }
    if (!next) return invalid("/amount");
    const auto [limit_now, source] = limit(before);
    write(d::HoldPlaced{{version_ + 1},
                        body.amount,
                        body.expires_at,
                        body.description,
                        body.service,
                        next->held,
                        next->available,
                        money(limit_now, before.currency),
                        source,
                        tenant_.catalogue_version});
  }
  void decide(const d::CaptureHold& body) {
    if (!open()) return;
    const auto* event = event_at(body.hold.version);
    const auto* placed = event == nullptr ? nullptr : std::get_if<d::HoldPlaced>(&event->event);
    if (placed == nullptr) return not_found();
    const d::Money amount = body.amount.value_or(placed->amount);
    if (amount.currency != placed->amount.currency) return invalid("/amount/currency");
    if (!positive(amount)) return;
    const auto found = account_.holds.find(body.hold.version);
    if (found == account_.holds.end()) return refuse("capture", d::RefusalReason::kHoldNotOpen);
    const Model::Hold& hold = found->second;
    if (amount.amount.units > hold.amount.amount.units) {
      return refuse("capture", d::RefusalReason::kExceedsOriginal, amount,
                    money(amount.amount.units - hold.amount.amount.units, amount.currency));
    }
    const auto next = after(amount.currency, -amount.amount.units, -hold.amount.amount.units);
    if (!next) return invalid("/amount");
    const Int balance = balance_in(account_, amount.currency).balance;
    const Int own = std::min<Int>(std::max<Int>(balance, 0), amount.amount.units);
    write(d::HoldCaptured{body.hold, amount,
                          money(hold.amount.amount.units - amount.amount.units, amount.currency),
                          body.description, hold.service, money(own, amount.currency),
                          money(amount.amount.units - own, amount.currency), next->balance,
                          next->held, next->available});
  }
  void decide(const d::ReleaseHold& body) {
    if (!open()) return;
    const auto found = account_.holds.find(body.hold.version);
    if (found == account_.holds.end()) {
      const auto* event = event_at(body.hold.version);
      const bool was = event != nullptr && std::holds_alternative<d::HoldPlaced>(event->event);
      return was ? refuse("release", d::RefusalReason::kHoldNotOpen) : not_found();
    }
    const d::Money amount = found->second.amount;
    const auto next = after(amount.currency, 0, -amount.amount.units);
    if (!next) return invalid("/amount");
    write(d::HoldReleased{body.hold, amount, body.reason, next->held, next->available});
  }
  void decide(const d::RefundCharge& body) {
    if (!open()) return;
    const auto* event = event_at(body.charge.version);
    if (event == nullptr) return not_found("/charge");
    d::Money original;
    if (const auto* charge = std::get_if<d::ChargePosted>(&event->event)) {
      original = charge->amount;
    } else if (const auto* capture = std::get_if<d::HoldCaptured>(&event->event)) {
      original = capture->amount;
    } else {
      return not_found("/charge");
    }
    const auto before = account_.refunded.find(body.charge.version);
    const Int refunded = before == account_.refunded.end() ? 0 : before->second;
    const Int left = original.amount.units - refunded;
    const d::Money amount = body.amount.value_or(money(left, original.currency));
    if (amount.currency != original.currency) return invalid("/amount/currency");
    if (body.amount && !positive(amount)) return;
    if (!not_closed("refund", amount)) return;
    if (left == 0 || amount.amount.units > left) {
      return refuse("refund", d::RefusalReason::kExceedsOriginal, amount,
                    money(amount.amount.units - left, amount.currency));
    }
    const auto next = after(amount.currency, amount.amount.units);
    if (!next) return invalid("/amount");
    write(d::ChargeRefunded{body.charge, amount,
                            money(refunded + amount.amount.units, amount.currency), body.reason,
                            next->balance, next->available});
  }
  void decide(const d::PayOutBalance& body) {
    if (!open() || !payment(body.amount) || !not_closed("payout", body.amount)) return;
    if (is_frozen()) return refuse("payout", d::RefusalReason::kAccountFrozen, body.amount);
    const Model::Balance before = balance_in(account_, body.amount.currency);
    const auto free = sum(before.balance, -before.held);
    const auto next = after(body.amount.currency, -body.amount.amount.units);
    if (!free) return invalid("/amount");
    if (body.amount.amount.units > *free) {
      const auto short_by = sum(body.amount.amount.units, -*free);
      if (!short_by) return invalid("/amount");
      return refuse("payout", d::RefusalReason::kInsufficientFunds, body.amount,
                    money(*short_by, before.currency));
    }
    if (!next) return invalid("/amount");
    write(d::BalancePaidOut{body.amount, body.description, next->balance, next->available});
  }
  void decide(const d::IssueCreditNote& body) {
    if (!open() || !not_zero(body.amount) || !not_closed("credit-note", body.amount)) return;
    const auto next = after(body.amount.currency, body.amount.amount.units);
    if (!next) return invalid("/amount");
    write(d::CreditNoteIssued{body.amount, body.reason, next->balance, next->available});
  }
  void decide(const d::PostAdjustment& body) {
    if (!open() || !not_zero(body.amount) || !not_closed("adjustment", body.amount)) return;
    const auto next = after(body.amount.currency, body.amount.amount.units);
    if (!next) return invalid("/amount");
    write(d::AdjustmentPosted{body.amount, body.reason, body.attributes, next->balance,
                              next->available});
  }
  void decide(const d::SetCreditLimit& body) {
    if (!open()) return;
    if (body.amount.amount.units < 0) return invalid("/amount/amount");
    if (is_too_high(body.amount)) return invalid("/amount/amount");
    if (!is_active(body.amount.currency)) return invalid("/amount/currency");
    if (!not_closed("credit-limit", body.amount)) return;
    Model::Balance next = balance_in(account_, body.amount.currency);
    if (next.limit == body.amount.amount.units) return nothing();
    std::optional<d::Money> previous;
    if (next.limit) previous = money(*next.limit, next.currency);
    next.limit = body.amount.amount.units;
    write(d::CreditLimitSet{body.amount, previous, body.reason,
                            money(std::max<Int>(available(next), 0), next.currency)});
  }
  void decide(const d::ClearCreditLimit& body) {
    if (!open() || !not_closed("credit-limit")) return;
    Model::Balance next = balance_in(account_, body.currency.value_or(account_.currency));
    if (!next.limit) return nothing();
    const d::Money previous = money(*next.limit, next.currency);
    next.limit.reset();
    write(d::CreditLimitCleared{previous, body.reason,
                                money(std::max<Int>(available(next), 0), next.currency)});
  }
  void decide(const d::SetTag& body) {
    if (!open() || !not_closed("tag")) return;
    const auto before = account_.tags.find({body.service, body.tag});
    std::optional<std::string> previous;
    if (before != account_.tags.end()) {
      previous = before->second.value;
      if (previous == body.value && !before->second.has_extra && !body.extra) return nothing();
    }
    write(d::TagSet{body.service, body.tag, body.value, body.extra, previous});
  }
  void decide(const d::RemoveTag& body) {
    if (!open() || !not_closed("tag")) return;
    const auto before = account_.tags.find({body.service, body.tag});
    if (before == account_.tags.end()) {
      if (body.tag != "auto_credit") return not_found();
      return write(d::TagRemoved{body.service, body.tag, std::nullopt});
    }
    if (!before->second.value) return nothing();
    write(d::TagRemoved{body.service, body.tag, before->second.value});
  }
  void decide(const d::NoteUsage& body) {
    if (!open() || !not_closed("usage-fact")) return;
    write(d::UsageNoted{body.description, body.service, body.attributes});
  }
  void decide(const d::ErasePrivateData& body) {
    if (!open()) return;
    account_.has_private ? write(d::PrivateDataErased{body.reason}) : nothing();
  }
  void decide(const d::SettleAccount&) {}

  // --- Tenant commands

  void decide(const d::CreateTenant& body) {
    if (tenant_.version != 0) return refuse("tenant", d::RefusalReason::kTenantExists);
    write(d::TenantCreated{body.name, body.first_key});
  }
  void decide(const d::CreateApiKey& body) {
    tenant_.version == 0 ? not_found() : write(d::ApiKeyCreated{body.key});
  }
  void decide(const d::RevokeApiKey& body) {
    const auto found = tenant_.keys.find(body.id);
    if (found == tenant_.keys.end()) return not_found();
    const auto [is_admin, is_revoked] = found->second;
    if (is_revoked) return nothing();
    const auto admins =
        std::count_if(tenant_.keys.begin(), tenant_.keys.end(),
                      [](const auto& key) { return key.second.first && !key.second.second; });
    if (is_admin && admins == 1) return refuse("revoke-key", d::RefusalReason::kLastAdminKey);
    write(d::ApiKeyRevoked{body.id});
  }
  void decide(const d::SetCurrency& body) {
    if (tenant_.version == 0) return not_found();
    std::optional<d::Money> default_limit;
    std::optional<d::Money> minimum;
    if (body.default_credit_limit) default_limit = {*body.default_credit_limit, body.currency};
    if (body.minimum_top_up) minimum = {*body.minimum_top_up, body.currency};
    if (default_limit && default_limit->amount.units < 0) return invalid("/default_credit_limit");
    if (minimum && minimum->amount.units < 0) return invalid("/minimum_top_up");
    if (default_limit && is_too_high(*default_limit)) return invalid("/default_credit_limit");
    const auto* known = terms(body.currency);
    const auto same = [](const std::optional<Int>& left, const std::optional<d::Money>& right) {
      return left.has_value() == right.has_value() && (!left || *left == right->amount.units);
    };
    if (known != nullptr && same(known->default_limit, default_limit) &&
        same(known->minimum_top_up, minimum) && known->status == body.status) {
      return nothing();
    }
    const std::uint64_t next = tenant_.catalogue_version + 1;
    write(d::CurrencySet{body.currency, default_limit, minimum, body.status, next});
    auto adopted =
        envelope(d::StreamId::partition(command_.tenant), next, d::CatalogueAdopted{next});
    adopted.actor = "system";
    out_.events.push_back(std::move(adopted));
  }
  void decide(const d::ChangeSettings& body) {
    if (tenant_.version == 0) return not_found();
    tenant_.name == body.name ? nothing() : write(d::SettingsChanged{body.name});
  }

  const Model& model_;
  const Command& command_;
  Instant now_;
  bool keyed_;
  Model::Account account_;
  Model::Tenant tenant_;
  std::uint64_t version_ = 0;
  Predicted out_;
};

Predicted Model::predict(const Command& command, Instant now) const {
  return Prediction(*this, command, now).run();
}

}  // namespace daybook::simulation
