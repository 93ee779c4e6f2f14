#include "tests/simulation/workload.h"

#include <utility>
#include <vector>

#include "tests/simulation/trace.h"

namespace daybook::simulation {
namespace {

namespace d = domain;
using eventstore::Command;

constexpr std::int64_t kSecond = 1'000'000;

template <class... Wanted>
bool is_one_of(const d::Event& event) {
  return (std::holds_alternative<Wanted>(event) || ...);
}

}  // namespace

Command Workload::next(const Model& model, Instant now) {
  Command command;
  command.tenant = TenantId("t" + std::to_string(rng_.below(options_.tenants)));
  command.account = AccountId("a" + std::to_string(rng_.below(options_.accounts)));
  command.actor = rng_.chance(80) ? "key:k1" : "key:k2";
  const std::uint64_t request = ++requests_;
  if (rng_.chance(85)) {
    command.idempotency_key = "r" + std::to_string(request);
    command.fingerprint = request * 1'000'003;
  }
  const auto tenant_stream = d::StreamId::of_tenant(command.tenant);
  const bool has_tenant = model.position_of(tenant_stream, 1).has_value();
  if (rng_.chance(has_tenant ? 8 : 30)) {
    command.account = AccountId();
    command.body = tenant_command(has_tenant);
    // A new API key has a random id: only its idempotency key lets it come twice.
    command.idempotency_key = "r" + std::to_string(request);
    command.fingerprint = request * 1'000'003;
  } else {
    const auto stream = command.stream();
    const auto* known = model.account(stream);
    const Model::Account account = known == nullptr ? Model::Account{} : *known;
    const auto kind = rng_.below(100);
    if (known == nullptr ? kind < 70 : kind < 2) {
      command.body = d::AccountCommand(open());
    } else if (options_.hoards && known != nullptr && rng_.chance(96)) {
      command.body = d::AccountCommand(small_hold(account, now));
    } else if (account.frozen && rng_.chance(20)) {
      const bool is_closed = account.status == d::AccountStatus::kClosed;
      command.body = is_closed ? d::AccountCommand(d::ReopenAccount{maybe("back")})
                               : d::AccountCommand(d::CloseAccount{});
    } else if (account.version == 1 && rng_.chance(15)) {
      command.body = d::AccountCommand(d::FreezeAccount{});
    } else if (kind < 30) {
      command.body = money_in(model, account, stream);
    } else if (kind < 75) {
      command.body = money_out(model, account, stream, now);
    } else if (kind < 91) {
      command.body = terms(account);
    } else {
      command.body = life();
    }
  }
  if (rng_.chance(8)) {
    const auto* account = model.account(command.stream());
    const std::uint64_t version = account == nullptr ? 0 : account->version;
    command.if_match = rng_.chance(50) ? version : rng_.below(version + 2);
  }
  if (rng_.chance(10)) {
    command.effective_at = Instant{now.micros + rng_.between(-100'000, 5'000) * kSecond};
  }
  return command;
}

Command Workload::variation(const Model& model, const Command& earlier, Instant now) {
  Command command = next(model, now);
  const auto* body = std::get_if<0>(&earlier.body);
  const auto* top_up = body == nullptr ? nullptr : std::get_if<d::TopUp>(body);
  if (top_up != nullptr && top_up->provider_payment_id && rng_.chance(80)) {
    const std::string key = command.idempotency_key;
    const std::uint64_t fingerprint = command.fingerprint;
    command = earlier;
    command.if_match.reset();
    command.idempotency_key = key;
    command.fingerprint = fingerprint;
    d::TopUp again = *top_up;
    if (rng_.chance(15)) again.amount.amount.units += units_of("1");
    if (rng_.chance(15))
      command.account = AccountId("a" + std::to_string(rng_.below(options_.accounts)));
    command.body = d::AccountCommand(again);
    return command;
  }
  // Another body under a key that is taken, or will be.
  const bool same_scope = command.is_account_command() == earlier.is_account_command();
  if (same_scope && !earlier.idempotency_key.empty()) {
    command.tenant = earlier.tenant;
    command.account = earlier.account;
    command.idempotency_key = earlier.idempotency_key;
    command.fingerprint = requests_ * 1'000'003;
  }
  return command;
}

d::AccountCommand Workload::money_in(const Model& model, const Model::Account& account,
                                     const d::StreamId& stream) {
  switch (rng_.below(8)) {
    case 0:
      return d::IssueCreditNote{money(account), "sorry"};
    case 1: {
      d::Money amount = money(account);
      if (rng_.chance(50)) amount.amount.units = -amount.amount.units;
      return d::PostAdjustment{amount, "count", {{"a", "b"}}};
    }
    case 2:
      return d::ReverseTopUp{
          version_of(model, stream, account.version, is_one_of<d::BalanceToppedUp>),
          maybe("mistake")};
    case 3: {
      std::optional<d::Money> amount;
      if (rng_.chance(70)) amount = money(account);
      return d::RefundCharge{
          version_of(model, stream, account.version, is_one_of<d::ChargePosted, d::HoldCaptured>),
          amount, "refund"};
    }
    default: {
      d::TopUp top_up{money(account, true), {}, {}, maybe("thanks")};
      if (rng_.chance(40)) {
        top_up.provider = rng_.chance(70) ? "stripe" : "adyen";
        top_up.provider_payment_id = "p" + std::to_string(rng_.below(12));
      }
      return top_up;
    }
  }
}

d::AccountCommand Workload::money_out(const Model& model, const Model::Account& account,
                                      const d::StreamId& stream, Instant now) {
  if (options_.fat && rng_.chance(70)) {
    return d::NoteUsage{{}, {}, {{"log", std::string(12'000 + rng_.below(3'000), 'x')}}};
  }
  const auto hold = [&] {
    return version_of(model, stream, account.version, is_one_of<d::HoldPlaced>);
  };
  switch (rng_.below(12)) {
    case 0:
      return d::PayOutBalance{money(account, true), maybe("bye")};
    case 1:
      return d::NoteUsage{maybe("noted"), maybe("s1"), {{"cpu", "2"}}};
    case 2:
    case 3:
    case 4: {
      d::PlaceHold place{money(account), {}, maybe("hold"), maybe("s1")};
      if (rng_.chance(70))
        place.expires_at =
            Instant{now.micros + rng_.between(-5, rng_.chance(50) ? 30 : 600) * kSecond};
      return place;
    }
    case 5:
    case 6: {
      std::optional<d::Money> amount;
      if (rng_.chance(60)) amount = money(account);
      return d::CaptureHold{hold(), amount, maybe("taken")};
    }
    case 7:
      return d::ReleaseHold{hold(), maybe("free")};
    case 8:
      return d::SettleAccount{};
    default:
      return d::PostCharge{money(account),
                           rng_.chance(75) ? d::Enforcement::kStrict : d::Enforcement::kRecord,
                           maybe("use"),
                           maybe("s1"),
                           {}};
  }
}

d::PlaceHold Workload::small_hold(const Model::Account& account, Instant now) {
  constexpr std::int64_t kTogether = 3'000 * kSecond;
  return {{d::Amount{units_of("0.000001")}, account.currency},
          Instant{(now.micros / kTogether + 1) * kTogether},
          {},
          {}};
}

d::AccountCommand Workload::terms(const Model::Account& account) {
  static const std::vector<std::string> kTags{"auto_credit", "plan", "color"};
  switch (rng_.below(6)) {
    case 0:
      return d::ClearCreditLimit{rng_.chance(50) ? std::optional(currency(account)) : std::nullopt,
                                 maybe("back")};
    case 1:
    case 2: {
      d::Money amount = money(account);
      if (rng_.chance(20)) amount.amount.units = 0;
      if (rng_.chance(5)) amount.amount.units = -1;
      return d::SetCreditLimit{amount, "trust"};
    }
    case 3:
      return d::RemoveTag{maybe("s1"), rng_.pick(kTags)};
    default: {
      d::SetTag set{maybe("s1"), rng_.pick(kTags), rng_.chance(50) ? "on" : "off", {}};
      if (rng_.chance(15)) set.extra = d::PrivateValue{std::string(16, 'r'), std::string(32, 'c')};
      return set;
    }
  }
}

d::AccountCommand Workload::life() {
  switch (rng_.below(8)) {
    case 0:
    case 1:
      return d::FreezeAccount{maybe("fraud")};
    case 2:
    case 3:
      return d::UnfreezeAccount{};
    case 4:
      return d::CloseAccount{maybe("gone")};
    case 5:
    case 6:
      return d::ReopenAccount{};
    default:
      return d::ErasePrivateData{maybe("asked")};
  }
}

d::AccountCommand Workload::open() {
  d::OpenAccount command{rng_.chance(80) ? *d::Currency::parse("USD") : any_currency(),
                         rng_.chance(70) ? d::AccountMode::kPrepaid : d::AccountMode::kPostpaid,
                         {}};
  if (rng_.chance(20)) command.tags = {{"plan", "gold"}};
  return command;
}

d::TenantCommand Workload::tenant_command(bool exists) {
  if (!exists || rng_.chance(5)) return d::CreateTenant{maybe("Acme"), key_grant()};
  switch (rng_.below(8)) {
    case 0:
      return d::CreateApiKey{key_grant()};
    case 1:
    case 2:
      return d::RevokeApiKey{"id" + std::to_string(rng_.below(keys_ + 1))};
    case 3:
      return d::ChangeSettings{maybe("Other")};
    default: {
      d::SetCurrency set{any_currency(), {}, {}, d::CurrencyStatus::kActive};
      if (rng_.chance(60)) set.default_credit_limit = d::Amount{units_of("15")};
      if (options_.wide && rng_.chance(20)) {
        set.default_credit_limit = d::Amount{units_of(
            rng_.chance(80) ? "9999999999999999999999999.9" : "10000000000000000000000000")};
      }
      if (rng_.chance(30)) set.minimum_top_up = d::Amount{units_of("10")};
      if (rng_.chance(10)) set.status = d::CurrencyStatus::kInactive;
      if (rng_.chance(3)) set.minimum_top_up = d::Amount{-1};
      return set;
    }
  }
}

d::KeyGrant Workload::key_grant() {
  d::KeyGrant grant{"id" + std::to_string(keys_++), {}, {}, {}, std::string(32, 'h')};
  grant.roles.add(rng_.chance(60) ? d::Role::kAdmin : d::Role::kOperator);
  return grant;
}

d::Currency Workload::any_currency() {
  static const std::vector<std::string> kCodes{"USD", "USD", "JPY", "EUR", "KWD"};
  return *d::Currency::parse(rng_.pick(kCodes));
}

d::Currency Workload::currency(const Model::Account& account) {
  if (account.version == 0) return *d::Currency::parse("USD");
  return rng_.chance(options_.wide ? 60 : 92) ? account.currency : any_currency();
}

d::Money Workload::money(const Model::Account& account, bool whole) {
  static const std::vector<std::string> kWhole{"10", "10", "20", "5", "100", "1"};
  static const std::vector<std::string> kAny{"10", "2.5",  "0.01", "33.333333333333", "7",
                                             "1",  "12.3", "0",    "0.000000000001",  "-4"};
  static const std::vector<std::string> kHuge{
      "99999999999999999999999999", "60000000000000000000000000", "9999999999999999999999999.9"};
  const bool is_whole = whole ? rng_.chance(95) : rng_.chance(60);
  std::string text = rng_.pick(is_whole ? kWhole : kAny);
  if (options_.wide && rng_.chance(12)) text = rng_.pick(kHuge);
  const auto amount = d::parse_amount(text);
  require(amount && amount->units == units_of(text), "an amount is not read exactly: " + text);
  return {*amount, currency(account)};
}

d::EventRef Workload::version_of(const Model& model, const d::StreamId& stream,
                                 std::uint64_t version, bool (*is_wanted)(const d::Event&)) {
  for (int tries = 0; tries < 12 && version > 0; ++tries) {
    const std::uint64_t guess = version - rng_.below(version);
    const auto position = model.position_of(stream, guess);
    if (position && is_wanted(model.log()[*position].event)) return {guess};
  }
  return {rng_.below(version + 3)};
}

}  // namespace daybook::simulation
