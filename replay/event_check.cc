#include "replay/event_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <type_traits>

#include "domain/base/check.h"
#include "domain/base/utf8.h"
#include "domain/posting_rules.h"
#include "eventstore/event_id.h"

namespace daybook::replay {
namespace {

using domain::AccountState;
using domain::Amount;
using domain::CurrencyBalance;
using domain::Money;
using domain::RecordedEvent;
using domain::StreamKind;

template <class Body, class... Others>
constexpr bool is_one_of = (std::is_same_v<Body, Others> || ...);

std::optional<Finding> check_postings(const RecordedEvent& event) {
  std::map<domain::Currency, Amount> sums;
  for (const auto& posting : domain::postings_of(event.event, event.rules_version)) {
    Amount& sum = sums[posting.amount.currency];
    const auto added = domain::checked_add(sum, posting.amount.amount);
    if (!added) return Finding{"postings", "a sum that fits 128 bits", "overflow"};
    sum = *added;
  }
  for (const auto& [currency, sum] : sums) {
    if (!sum.is_zero()) {
      return Finding{"postings", money_text({Amount{}, currency}), money_text({sum, currency})};
    }
  }
  return std::nullopt;
}

/// The currency of the numbers of an event; none if it has none.
std::optional<domain::Currency> currency_of(const domain::Event& event) {
  return std::visit(
      [](const auto& body) -> std::optional<domain::Currency> {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (requires { body.available_after.currency; }) {
          return body.available_after.currency;
        } else if constexpr (std::is_same_v<Body, domain::ChargeRefused>) {
          return body.amount.currency;
        } else if constexpr (std::is_same_v<Body, domain::CommandRefused>) {
          if (body.short_by) return body.short_by->currency;
          if (body.amount) return body.amount->currency;
          return std::nullopt;
        } else {
          return std::nullopt;
        }
      },
      event);
}

/// The open hold that an event ends; null for other events and when it is not open.
const domain::OpenHold* ended_hold(const AccountState& state, const domain::Event& event,
                                   bool& ends_one) {
  return std::visit(
      [&](const auto& body) -> const domain::OpenHold* {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (is_one_of<Body, domain::HoldCaptured, domain::HoldReleased,
                                domain::HoldExpired>) {
          ends_one = true;
          for (const auto& hold : state.holds) {
            if (hold.version == body.hold.version) return &hold;
          }
        }
        return nullptr;
      },
      event);
}

/// Compares the numbers of one event; the first difference stays.
class NumberCheck {
 public:
  NumberCheck(const CurrencyBalance& before, const CurrencyBalance& after,
              const domain::Catalogue& catalogue, std::optional<domain::OpenHold> hold)
      : before_(before), after_(after), catalogue_(catalogue), hold_(std::move(hold)) {}

  template <class Body>
  void operator()(const Body& body) {
    if constexpr (requires { body.balance_after; }) {
      const auto change = domain::balance_change_of(domain::Event(body));
      CHECK(change.has_value());
      same_currency("amount", body.amount.currency);
      same("balance", domain::checked_add(before_.balance, change->amount), body.balance_after);
    }
    if constexpr (requires { body.held_after; }) check_hold(body);
    if constexpr (std::is_same_v<Body, domain::HoldExpired>) {
      const auto text = [](const auto& time) { return time ? to_rfc3339(*time) : "never"; };
      if (hold_->expires_at != body.expired_at) {
        differ("expired_at", text(hold_->expires_at), to_rfc3339(body.expired_at));
      }
    }
    if constexpr (requires { body.available_after; }) {
      const auto limit = domain::effective_limit(after_, catalogue_).amount;
      const Amount available = domain::available_of(after_, limit);
      same("available", std::max(available, Amount{}), body.available_after);
    }
    if constexpr (requires { body.credit_limit; }) check_terms(body);
    if constexpr (requires { body.from_balance; }) {
      const Amount own = std::min(std::max(before_.balance, Amount{}), body.amount.amount);
      same("from_balance", own, body.from_balance);
      same("from_credit", domain::checked_subtract(body.amount.amount, own), body.from_credit);
    }
    if constexpr (requires { body.credit_restored; }) {
      const auto owed = domain::checked_negate(before_.balance).value_or(Amount{});
      same("credit_restored", std::min(std::max(owed, Amount{}), body.amount.amount),
           body.credit_restored);
    }
    if constexpr (is_one_of<Body, domain::CreditLimitSet, domain::CreditLimitCleared>) {
      std::optional<Money> previous;
      if (before_.limit_override) previous = Money{*before_.limit_override, before_.currency};
      same_optional("previous", previous, body.previous);
    }
    check_funds(body);
  }

  std::optional<Finding> finding() const { return finding_; }

 private:
  /// What could be spent before the event; empty: does not fit 128 bits.
  std::optional<Amount> available_before() const {
    return domain::available_of(before_, domain::effective_limit(before_, catalogue_).amount);
  }
  /// What is money of the customer's and not held.
  std::optional<Amount> own_before() const {
    return domain::checked_subtract(before_.balance, before_.held);
  }

  /// A strict charge, a hold and a pay-out stay within what is there; a refusal says by how much
  /// the amount was beyond it, and was.
  template <class Body>
  void check_funds(const Body& body) {
    if constexpr (std::is_same_v<Body, domain::ChargePosted>) {
      if (body.enforce == domain::Enforcement::kStrict) within(available_before(), body.amount);
    } else if constexpr (std::is_same_v<Body, domain::HoldPlaced>) {
      within(available_before(), body.amount);
    } else if constexpr (std::is_same_v<Body, domain::BalancePaidOut>) {
      within(own_before(), body.amount);
    } else if constexpr (std::is_same_v<Body, domain::ChargeRefused>) {
      short_of(available_before(), body.amount, body);
    } else if constexpr (std::is_same_v<Body, domain::CommandRefused>) {
      const auto there = body.command == "payout" ? own_before() : available_before();
      short_of(there, body.amount, body);
    }
  }

  void within(std::optional<Amount> there, const Money& amount) {
    if (there && amount.amount <= *there) return;
    differ("funds", there ? "at most " + money_text({*there, before_.currency}) : "a sum that fits",
           money_text(amount));
  }

  template <class Body>
  void short_of(std::optional<Amount> there, const std::optional<Money>& amount, const Body& body) {
    std::optional<Money> expected;
    if (body.reason == domain::RefusalReason::kExceedsOriginal && body.short_by) {
      // The original is not named here; but what was left of it was no debt.
      if (!amount || body.short_by->currency != amount->currency ||
          body.short_by->amount.is_negative() || body.short_by->amount > amount->amount) {
        differ("short_by", "at most the amount", money_text(*body.short_by));
      }
      return;
    }
    if (body.reason == domain::RefusalReason::kInsufficientFunds) {
      std::optional<Amount> missing;
      if (there && amount) missing = domain::checked_subtract(amount->amount, *there);
      if (!missing || !missing->is_positive()) {
        return differ("short_by", "an amount beyond what is there",
                      amount ? money_text(*amount) : "none");
      }
      expected = Money{*missing, before_.currency};
    }
    same_optional("short_by", expected, body.short_by);
  }

  void same_optional(const char* check, const std::optional<Money>& expected,
                     const std::optional<Money>& found) {
    const auto text = [](const auto& money) { return money ? money_text(*money) : "none"; };
    if (expected != found) differ(check, text(expected), text(found));
  }

  template <class Body>
  void check_hold(const Body& body) {
    std::optional<Amount> held;
    if constexpr (std::is_same_v<Body, domain::HoldPlaced>) {
      held = domain::checked_add(before_.held, body.amount.amount);
    } else {
      CHECK(hold_.has_value());
      same_currency("hold", hold_->amount.currency);
      held = domain::checked_subtract(before_.held, hold_->amount.amount);
      std::optional<Amount> ended = body.amount.amount;
      if constexpr (requires { body.released; }) {
        ended = domain::checked_add(body.amount.amount, body.released.amount);
      }
      if (ended != hold_->amount.amount) {
        differ("hold", money_text(hold_->amount),
               ended ? money_text({*ended, body.amount.currency}) : "overflow");
      }
    }
    same("held", held, body.held_after);
  }

  template <class Body>
  void check_terms(const Body& body) {
    const auto limit = domain::effective_limit(before_, catalogue_);
    if (body.catalogue_version != catalogue_.version) {
      differ("catalogue", "version " + std::to_string(catalogue_.version),
             "version " + std::to_string(body.catalogue_version));
    }
    same("credit_limit", limit.amount, body.credit_limit);
    if (body.credit_limit_source != limit.source) {
      differ("credit_limit_source", std::string(domain::name_of(limit.source)),
             std::string(domain::name_of(body.credit_limit_source)));
    }
  }

  void same(const char* check, std::optional<Amount> expected, const Money& found) {
    same_currency(check, found.currency);
    if (expected == found.amount) return;
    differ(check, expected ? money_text({*expected, before_.currency}) : "a number of 128 bits",
           money_text(found));
  }
  void same_currency(const char* check, domain::Currency found) {
    if (found == before_.currency) return;
    differ(check, "an amount in " + std::string(before_.currency.code()),
           "one in " + std::string(found.code()));
  }
  void differ(const char* check, std::string expected, std::string found) {
    if (!finding_) finding_ = Finding{check, std::move(expected), std::move(found)};
  }

  const CurrencyBalance& before_;
  const CurrencyBalance& after_;
  const domain::Catalogue& catalogue_;
  std::optional<domain::OpenHold> hold_;
  std::optional<Finding> finding_;
};

template <class Named>
bool has_repeated_name(const std::vector<Named>& values) {
  std::set<std::string_view> names;
  for (const auto& value : values) {
    if (!names.insert(value.name).second) return true;
  }
  return false;
}

/// The greatest version that an event names; 0 if it names none.
template <class Body>
std::uint64_t named_version(const Body& body) {
  std::uint64_t version = 0;
  if constexpr (requires { body.hold.version; }) version = std::max(version, body.hold.version);
  if constexpr (requires { body.charge.version; }) version = std::max(version, body.charge.version);
  if constexpr (requires { body.top_up.version; }) version = std::max(version, body.top_up.version);
  if constexpr (requires { body.of->version; }) {
    if (body.of) version = std::max(version, body.of->version);
  }
  return version;
}

/// What to_rfc3339 can write.
bool has_public_text(Instant time) {
  static const std::optional<Instant> first = parse_rfc3339("0000-01-01T00:00:00Z");
  static const std::optional<Instant> last = parse_rfc3339("9999-12-31T23:59:59.999999Z");
  return time >= first && time <= last;
}

/// Looks for texts that are no UTF-8 or hold a NUL, and times that have no RFC 3339 form: an
/// "archive" for domain's serialize(). What stands in hexadecimal outside may be any bytes.
class PublicValues {
 public:
  template <class... Fields>
  void operator()(Fields&&... fields) {
    (look_at(fields.name, fields.value), ...);
  }
  bool good() const { return good_; }

  void look_at(std::string_view /*name*/, const Instant& time) {
    if (!has_public_text(time)) good_ = false;
  }
  void look_at(std::string_view name, const std::string& text) {
    if (name == "secret_hmac") return;
    if (!is_utf8(text) || text.find('\0') != std::string::npos) good_ = false;
  }

 private:
  template <class T>
  void look_at(std::string_view name, const std::optional<T>& value) {
    if (value) look_at(name, *value);
  }
  template <class T>
  void look_at(std::string_view name, const std::vector<T>& values) {
    for (const T& value : values) look_at(name, value);
  }
  template <class T>
  void look_at(std::string_view name, const T& value) {
    if constexpr (std::is_same_v<T, AccountId>) {
      look_at(name, value.value());
    } else if constexpr (is_one_of<T, domain::Attribute, domain::InitialTag>) {
      look_at("", value.name);
      look_at("", value.value);
    } else if constexpr (std::is_same_v<T, domain::AccountEventRef>) {
      look_at("", value.account.value());
    } else if constexpr (std::is_same_v<T, domain::KeyGrant>) {
      // serialize() is one function for reading and writing; this only reads.
      domain::KeyGrant grant = value;
      grant.serialize(*this);
    }
  }

  bool good_ = true;
};

std::optional<Finding> check_values(const RecordedEvent& event) {
  PublicValues values;
  std::visit([&](auto body) { body.serialize(values); }, event.event);
  for (const std::string* text :
       {&event.stream.tenant.value(), &event.stream.id, &event.actor, &event.idempotency_key}) {
    values.look_at("", *text);
  }
  values.look_at("", event.recorded_at);
  values.look_at("", event.effective_at);
  if (values.good()) return std::nullopt;
  return Finding{"values", "texts in UTF-8 without a NUL, times of the years 0000 to 9999",
                 "others"};
}

/// What the public form of an event needs: one object of attributes or tags, ids of what it names.
std::optional<Finding> check_public(const RecordedEvent& event) {
  return std::visit(
      [&](const auto& body) -> std::optional<Finding> {
        bool repeated = false;
        if constexpr (requires { body.attributes; }) repeated = has_repeated_name(body.attributes);
        if constexpr (requires { body.tags; }) repeated = has_repeated_name(body.tags);
        if (repeated) return Finding{"names", "each once", "one of them twice"};
        const std::uint64_t version = std::max(event.version, named_version(body));
        if (version >= eventstore::kEventVersionEnd) {
          return Finding{"version", "below " + std::to_string(eventstore::kEventVersionEnd),
                         std::to_string(version)};
        }
        return std::nullopt;
      },
      event.event);
}

/// The value of the tag before an event on it; none for other events. The outer one: whether the
/// event is on a tag.
std::optional<std::optional<std::string>> tag_before(const AccountState& state,
                                                     const domain::Event& event) {
  return std::visit(
      [&](const auto& body) -> std::optional<std::optional<std::string>> {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (is_one_of<Body, domain::TagSet, domain::TagRemoved>) {
          for (const auto& tag : state.tags) {
            if (tag.service == body.service && tag.name == body.tag)
              return std::make_optional(tag.value);
          }
          return std::make_optional(std::optional<std::string>());
        }
        return std::nullopt;
      },
      event);
}

std::optional<Finding> check_tag(const AccountState& state, const domain::Event& event) {
  const auto before = tag_before(state, event);
  if (!before) return std::nullopt;
  const auto* set = std::get_if<domain::TagSet>(&event);
  const auto& found = set != nullptr ? set->previous : std::get<domain::TagRemoved>(event).previous;
  if (*before == found) return std::nullopt;
  return Finding{"previous", before->value_or("none"), found.value_or("none")};
}

Finding version_differs(std::uint64_t before, std::uint64_t found) {
  return {"version", std::to_string(before + 1), std::to_string(found)};
}

}  // namespace

std::string money_text(const Money& money) {
  return to_text(money) + " " + std::string(money.currency.code());
}

std::optional<Finding> check_form(const RecordedEvent& event) {
  const auto& stream = event.stream;
  const std::string& tenant = stream.tenant.value();
  if (tenant.empty() || (tenant + stream.id).find('\0') != std::string::npos) {
    return Finding{"stream", "names without a NUL and a tenant", "others"};
  }
  const bool has_id = stream.kind == StreamKind::kAccount || stream.kind == StreamKind::kPayment;
  if (has_id == stream.id.empty()) {
    return Finding{"stream", has_id ? "an id" : "no id", has_id ? "none" : stream.id};
  }
  if (!belongs(stream.kind, event.event)) {
    return Finding{"stream", "an event of a stream of kind " + std::string(name_of(stream.kind)),
                   std::string(name_of(event.event))};
  }
  if (event.rules_version == 0 || event.rules_version > domain::kPostingRulesVersion) {
    return Finding{"rules", "1 to " + std::to_string(domain::kPostingRulesVersion),
                   std::to_string(event.rules_version)};
  }
  if (event.effective_at > event.recorded_at) {
    return Finding{"effective_at", "at most " + to_rfc3339(event.recorded_at),
                   to_rfc3339(event.effective_at)};
  }
  if (auto finding = check_public(event)) return finding;
  if (auto finding = check_values(event)) return finding;
  return check_postings(event);
}

std::optional<Finding> check_evolves(const AccountState& state, const RecordedEvent& event) {
  if (event.version != state.version + 1) return version_differs(state.version, event.version);
  const bool opens = std::holds_alternative<domain::AccountOpened>(event.event);
  if (opens != (state.version == 0)) {
    return Finding{
        "state", opens ? "an account is opened once" : "an account is opened first",
        std::string(name_of(event.event)) + " at version " + std::to_string(event.version)};
  }
  if (const auto* placed = std::get_if<domain::HoldPlaced>(&event.event)) {
    if (placed->hold.version != event.version) {
      return Finding{"state", "hold " + std::to_string(event.version),
                     "hold " + std::to_string(placed->hold.version)};
    }
  }
  if (const auto* reopened = std::get_if<domain::AccountReopened>(&event.event)) {
    const auto expected =
        state.frozen_when_closed ? domain::AccountStatus::kFrozen : domain::AccountStatus::kOpen;
    if (reopened->status_after != expected) {
      return Finding{"state", std::string(name_of(expected)),
                     std::string(name_of(reopened->status_after))};
    }
  }
  bool ends_one = false;
  if (ended_hold(state, event.event, ends_one) == nullptr && ends_one) {
    return Finding{"state", "an open hold", std::string(name_of(event.event)) + " of none"};
  }
  return std::nullopt;
}

std::optional<Finding> check_evolves(const domain::TenantState& state, const RecordedEvent& event) {
  if (event.version != state.version + 1) return version_differs(state.version, event.version);
  const auto* set = std::get_if<domain::CurrencySet>(&event.event);
  if (set != nullptr && set->catalogue_version != state.catalogue.version + 1) {
    return Finding{"catalogue", "version " + std::to_string(state.catalogue.version + 1),
                   "version " + std::to_string(set->catalogue_version)};
  }
  return std::nullopt;
}

std::optional<Finding> check_and_evolve(AccountState& state, const domain::Catalogue& catalogue,
                                        const RecordedEvent& event) {
  if (auto finding = check_tag(state, event.event)) return finding;
  const auto currency = currency_of(event.event);
  if (!currency) {
    domain::evolve(state, event);
    return std::nullopt;
  }
  bool ends_one = false;
  const domain::OpenHold* const ended = ended_hold(state, event.event, ends_one);
  std::optional<domain::OpenHold> hold;
  if (ended != nullptr) hold = *ended;
  const CurrencyBalance before = domain::balance_of(state, *currency);
  domain::evolve(state, event);
  const CurrencyBalance after = domain::balance_of(state, *currency);
  NumberCheck check(before, after, catalogue, std::move(hold));
  std::visit(check, event.event);
  return check.finding();
}

}  // namespace daybook::replay
