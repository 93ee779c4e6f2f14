#include "tests/simulation/model.h"

#include <algorithm>
#include <variant>

#include "tests/simulation/trace.h"

namespace daybook::simulation {
namespace {

namespace d = domain;

Model::Balance& balance_in(Model::Account& account, d::Currency currency) {
  for (auto& balance : account.balances) {
    if (balance.currency == currency) return balance;
  }
  account.balances.push_back({currency, 0, 0, std::nullopt});
  return account.balances.back();
}

}  // namespace

Int units_of(const std::string& text) {
  Int units = 0;
  int decimals = -1;
  for (const char c : text) {
    if (c == '-') continue;
    if (c == '.') {
      decimals = 0;
      continue;
    }
    units = units * 10 + (c - '0');
    if (decimals >= 0) ++decimals;
  }
  for (int i = std::max(decimals, 0); i < 12; ++i) units *= 10;
  return text.front() == '-' ? -units : units;
}

void fold(Model::Account& account, const d::RecordedEvent& event) {
  const auto move = [&](const d::Money& money, int sign) {
    balance_in(account, money.currency).balance += sign * money.amount.units;
  };
  const auto end_hold = [&](std::uint64_t version) {
    const auto hold = account.holds.find(version);
    require(hold != account.holds.end(), "a hold ends that is not open");
    balance_in(account, hold->second.amount.currency).held -= hold->second.amount.amount.units;
    account.holds.erase(hold);
  };
  account.version = event.version;
  std::visit(d::Overloaded{
                 [&](const d::AccountOpened& body) {
                   account.status = d::AccountStatus::kOpen;
                   account.mode = body.mode;
                   account.currency = body.currency;
                   balance_in(account, body.currency);
                   for (const auto& tag : body.tags) {
                     account.tags[{std::nullopt, tag.name}] = {tag.value, false};
                   }
                 },
                 [&](const d::AccountFrozen&) {
                   account.frozen = true;
                   account.status = d::AccountStatus::kFrozen;
                 },
                 [&](const d::AccountUnfrozen&) {
                   account.frozen = false;
                   account.status = d::AccountStatus::kOpen;
                 },
                 [&](const d::AccountClosed&) { account.status = d::AccountStatus::kClosed; },
                 [&](const d::AccountReopened&) {
                   account.status =
                       account.frozen ? d::AccountStatus::kFrozen : d::AccountStatus::kOpen;
                 },
                 [&](const d::BalanceToppedUp& body) { move(body.amount, 1); },
                 [&](const d::TopUpReversed& body) {
                   move(body.amount, -1);
                   account.reversed.insert(body.top_up.version);
                 },
                 [&](const d::ChargePosted& body) { move(body.amount, -1); },
                 [&](const d::ChargeRefunded& body) {
                   move(body.amount, 1);
                   account.refunded[body.charge.version] += body.amount.amount.units;
                 },
                 [&](const d::BalancePaidOut& body) { move(body.amount, -1); },
                 [&](const d::CreditNoteIssued& body) { move(body.amount, 1); },
                 [&](const d::AdjustmentPosted& body) { move(body.amount, 1); },
                 [&](const d::HoldPlaced& body) {
                   account.holds[event.version] = {body.amount, body.expires_at, body.service};
                   balance_in(account, body.amount.currency).held += body.amount.amount.units;
                 },
                 [&](const d::HoldCaptured& body) {
                   end_hold(body.hold.version);
                   move(body.amount, -1);
                 },
                 [&](const d::HoldReleased& body) { end_hold(body.hold.version); },
                 [&](const d::HoldExpired& body) { end_hold(body.hold.version); },
                 [&](const d::CreditLimitSet& body) {
                   balance_in(account, body.amount.currency).limit = body.amount.amount.units;
                 },
                 [&](const d::CreditLimitCleared& body) {
                   balance_in(account, body.previous.currency).limit.reset();
                 },
                 [&](const d::TagSet& body) {
                   account.tags[{body.service, body.tag}] = {body.value, body.extra.has_value()};
                   account.has_private |= body.extra.has_value();
                 },
                 [&](const d::TagRemoved& body) {
                   if (body.tag == "auto_credit") {
                     account.tags[{body.service, body.tag}] = {std::nullopt, false};
                   } else {
                     account.tags.erase({body.service, body.tag});
                   }
                 },
                 [&](const d::PrivateDataErased&) {
                   for (auto& [name, tag] : account.tags) tag.has_extra = false;
                   account.has_private = false;
                 },
                 [](const auto&) {},
             },
             event.event);
}

void Model::append(const d::RecordedEvent& event) {
  const std::uint64_t position = log_.size();
  log_.push_back(event);
  streams_[event.stream].push_back(position);
  if (!event.idempotency_key.empty()) keys_[{event.stream, event.idempotency_key}] = position;
  if (event.stream.kind == d::StreamKind::kAccount) {
    fold(accounts_[{event.stream.tenant.value(), event.stream.id}], event);
    if (std::holds_alternative<d::ChargeRefunded>(event.event) ||
        std::holds_alternative<d::TopUpReversed>(event.event)) {
      newest_reference_[event.stream] = position;
    }
  } else if (event.stream.kind == d::StreamKind::kTenant) {
    append_to(tenants_[event.stream.tenant.value()], event);
  }
}

void Model::append_to(Tenant& tenant, const d::RecordedEvent& event) {
  tenant.version = event.version;
  const auto add = [&](const d::KeyGrant& key) {
    tenant.keys[key.id] = {(key.roles.bits & 1) != 0, false};
  };
  const auto units = [](const std::optional<d::Money>& money) {
    return money ? std::optional<Int>(money->amount.units) : std::nullopt;
  };
  std::visit(d::Overloaded{
                 [&](const d::TenantCreated& body) {
                   tenant.name = body.name;
                   add(body.key);
                 },
                 [&](const d::ApiKeyCreated& body) { add(body.key); },
                 [&](const d::ApiKeyRevoked& body) { tenant.keys[body.id].second = true; },
                 [&](const d::CurrencySet& body) {
                   tenant.currencies[std::string(body.currency.code())] = {
                       units(body.default_credit_limit), units(body.minimum_top_up), body.status};
                   tenant.catalogue_version = body.catalogue_version;
                 },
                 [&](const d::SettingsChanged& body) { tenant.name = body.name; },
                 [](const auto&) {},
             },
             event.event);
}

void Model::truncate(std::uint64_t position) {
  const auto log = std::move(log_);
  *this = Model();
  for (std::uint64_t i = 0; i < position; ++i) append(log.at(i));
}

const Model::Account* Model::account(const d::StreamId& stream) const {
  const auto found = accounts_.find({stream.tenant.value(), stream.id});
  return found == accounts_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> Model::position_of_key(const d::StreamId& stream,
                                                    const std::string& key) const {
  const auto found = keys_.find({stream, key});
  return found == keys_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint64_t> Model::position_of(const d::StreamId& stream,
                                                std::uint64_t version) const {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || version == 0 || version > found->second.size()) return {};
  return found->second[version - 1];
}

std::optional<std::uint64_t> Model::newest_reference(const d::StreamId& stream) const {
  const auto found = newest_reference_.find(stream);
  return found == newest_reference_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace daybook::simulation
