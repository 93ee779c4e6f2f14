#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <rapidcheck.h>

#include "domain/event.h"
#include "domain/known_values.h"
#include "domain/posting_rules.h"
#include "tests/support/controls.h"

/// Events of every type: one representative of each, and random ones.
namespace daybook::test {

/// Fills every field of an event, however an event grows: an "archive" for serialize().
class RandomFields {
 public:
  template <class... Fields>
  void operator()(Fields&&... fields) {
    (fill(fields.value), ...);
  }

  static void fill(std::string& value) { value = *rc::gen::arbitrary<std::string>(); }
  static void fill(std::uint64_t& value) {
    value = *rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(0, 64);
  }
  static void fill(Instant& value) { value.micros = *rc::gen::arbitrary<std::int64_t>(); }
  static void fill(domain::Amount& value) {
    const auto high = *rc::gen::arbitrary<std::int64_t>();
    const auto low = *rc::gen::arbitrary<std::uint64_t>();
    value.units = (static_cast<int128>(high) * (int128{1} << 64) + static_cast<int128>(low)) >>
                  *rc::gen::inRange(0, 128);
    if (value.units == kInt128Min) value.units = 0;  // The one that is no amount.
    // Whole amounts are the common case and take another form.
    const int zeros = *rc::gen::inRange(0, 14);
    for (int i = 0; i < zeros; ++i) {
      if (__builtin_mul_overflow(value.units, int128{10}, &value.units)) break;
    }
  }
  static void fill(domain::Currency& value) {
    static const std::vector<std::string> kCodes = {"USD", "RUB", "JPY", "KWD", "AED", "ZAR"};
    value = currency(*rc::gen::elementOf(kCodes));
  }
  static void fill(domain::Money& value) {
    fill(value.currency);
    fill(value.amount);
  }
  static void fill(domain::KeyGrant& value) {
    RandomFields nested;
    value.serialize(nested);
  }
  static void fill(domain::EventRef& value) { fill(value.version); }
  static void fill(AccountId& value) { value = AccountId(*rc::gen::arbitrary<std::string>()); }
  static void fill(domain::AccountEventRef& value) {
    fill(value.account);
    fill(value.version);
  }
  static void fill(domain::Attribute& value) {
    fill(value.name);
    fill(value.value);
  }
  static void fill(domain::InitialTag& value) {
    fill(value.name);
    fill(value.value);
  }
  static void fill(domain::PrivateValue& value) {
    fill(value.reference);
    fill(value.commitment);
  }
  static void fill(domain::Roles& value) {
    value.bits = static_cast<std::uint8_t>(*rc::gen::inRange(0, 16));
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  static void fill(Enum& value) {
    value = static_cast<Enum>(*rc::gen::suchThat(rc::gen::inRange<int>(0, 16), [](int number) {
      return domain::is_known(static_cast<Enum>(number));
    }));
  }
  template <class T>
  static void fill(std::optional<T>& value) {
    value.reset();
    if (*rc::gen::arbitrary<bool>()) fill(value.emplace());
  }
  template <class T>
  static void fill(std::vector<T>& values) {
    values.resize(*rc::gen::inRange<std::size_t>(0, 4));
    for (auto& value : values) fill(value);
  }
};

/// The event of the variant's index, default-constructed.
template <std::size_t Index = 0>
domain::Event event_of_index(std::size_t index) {
  if constexpr (Index == std::variant_size_v<domain::Event>) {
    CHECK(false && "no such event");
  } else {
    if (index == Index) return domain::Event(std::in_place_index<Index>);
    return event_of_index<Index + 1>(index);
  }
}

/// Any event with any envelope that the codec can hold.
inline rc::Gen<domain::RecordedEvent> any_event() {
  return rc::gen::exec([] {
    domain::RecordedEvent event;
    event.event =
        event_of_index(*rc::gen::inRange<std::size_t>(0, std::variant_size_v<domain::Event>));
    std::visit(
        [](auto& body) {
          RandomFields fields;
          body.serialize(fields);
        },
        event.event);
    event.stream.kind =
        static_cast<domain::StreamKind>(*rc::gen::suchThat(rc::gen::inRange(0, 4), [&](int kind) {
          return domain::belongs(static_cast<domain::StreamKind>(kind), event.event);
        }));
    event.stream.tenant = TenantId(*rc::gen::arbitrary<std::string>());
    RandomFields::fill(event.stream.id);
    RandomFields::fill(event.version);
    // Times of four thousand years around 1970: their difference always fits.
    event.recorded_at.micros =
        *rc::gen::inRange<std::int64_t>(-60'000'000'000'000'000, 60'000'000'000'000'000);
    event.effective_at = event.recorded_at;
    if (*rc::gen::arbitrary<bool>()) {
      event.effective_at.micros =
          *rc::gen::inRange<std::int64_t>(-60'000'000'000'000'000, 60'000'000'000'000'000);
    }
    RandomFields::fill(event.actor);
    RandomFields::fill(event.idempotency_key);
    if (!event.idempotency_key.empty()) RandomFields::fill(event.fingerprint);
    event.rules_version = domain::kPostingRulesVersion;
    return event;
  });
}

}  // namespace daybook::test

namespace daybook::domain {

/// One filled example of every event type, in the order of the variant.
inline std::vector<RecordedEvent> representative_events() {
  using test::account_id;
  using test::currency;
  using test::money;
  using test::morning;
  using test::rub;
  using test::tenant_id;
  const std::string secret(32, '\xA7');
  const PrivateValue extra{std::string(16, '\x1F'), std::string(32, '\xC0')};
  const std::string cyrillic(test::kCyrillic);
  const std::string hebrew(test::kHebrew);
  const std::string devanagari(test::kDevanagari);
  const std::string thai(test::kThai);
  Roles reader;
  reader.add(Role::kAuditor);
  reader.add(Role::kClient);
  const std::vector<Event> bodies = {
      AccountOpened{
          currency("RUB"), AccountMode::kPrepaid, {{"plan", thai}, {"auto_credit", "yes"}}},
      AccountFrozen{"chargeback"},
      AccountUnfrozen{hebrew},
      AccountClosed{devanagari},
      AccountReopened{std::nullopt},
      BalanceToppedUp{rub("1000.5"), "yookassa", "22e12f66-000f-5000", cyrillic, rub("250"),
                      rub("750.5"), rub("750.5")},
      TopUpReversed{{6}, rub("1000.5"), "chargeback", rub("-250"), rub("0")},
      ChargePosted{rub("350"),
                   Enforcement::kStrict,
                   cyrillic,
                   "vm-1",
                   {{"Регион", "нл"}, {"sku", "0.0000008"}},
                   rub("100"),
                   rub("250"),
                   rub("-250"),
                   rub("250"),
                   rub("500"),
                   CreditLimitSource::kAccount,
                   3},
      ChargeRefused{rub("250.01"), RefusalReason::kInsufficientFunds, rub("0.01"), hebrew, "vm-1",
                    rub("500"), CreditLimitSource::kCurrencyDefault, 3},
      HoldPlaced{{10},
                 rub("40"),
                 morning(900),
                 thai,
                 "vm-2",
                 rub("40"),
                 rub("210"),
                 rub("500"),
                 CreditLimitSource::kAccount,
                 3},
      HoldCaptured{{10},
                   rub("25.000000000001"),
                   rub("14.999999999999"),
                   devanagari,
                   "vm-2",
                   rub("0"),
                   rub("25.000000000001"),
                   rub("-275.000000000001"),
                   rub("0"),
                   rub("224.999999999999")},
      HoldReleased{{10}, rub("40"), "cancelled", rub("0"), rub("250")},
      HoldExpired{{10}, rub("40"), morning(-5), rub("0"), rub("250")},
      ChargeRefunded{{8}, rub("40"), rub("80"), cyrillic, rub("-170"), rub("330")},
      BalancePaidOut{rub("70"), hebrew, rub("30"), rub("530")},
      CreditNoteIssued{rub("-10"), devanagari, rub("20"), rub("520")},
      AdjustmentPosted{
          rub("-0.0000008"), thai, {{"source", "focus"}}, rub("19.9999992"), rub("519.9999992")},
      CreditLimitSet{rub("500"), rub("100"), "agreed", rub("520")},
      CreditLimitCleared{rub("500"), "ended", rub("20")},
      TagSet{"vm-1", "contact", "owner", extra, "nobody"},
      TagRemoved{std::nullopt, "auto_credit", "yes"},
      UsageNoted{
          thai, "vm-1", {{"gb", "17.5"}, {"\xF0\x9F\x92\xBE", "disk"}, {"\xEF\xAC\xB3", "dalet"}}},
      PrivateDataErased{"asked by the customer"},
      NoChange{EventRef{6}},
      CommandRefused{"hold", RefusalReason::kInsufficientFunds, rub("9000"), rub("8480")},
      TenantCreated{cyrillic, {"k-0001", thai, reader, {}, secret}},
      ApiKeyCreated{{"k-7f3a", hebrew, reader, {AccountId("acme"), AccountId("beta:2")}, secret}},
      ApiKeyRevoked{"k-7f3a"},
      CurrencySet{currency("JPY"), money("50000", "JPY"), money("500", "JPY"),
                  CurrencyStatus::kInactive, 4},
      SettingsChanged{devanagari},
      PaymentClaimed{"yookassa", "22e12f66-000f-5000", rub("1000.5"), {AccountId("acme"), 6}},
      CatalogueAdopted{4},
  };
  std::vector<RecordedEvent> events;
  for (const auto& body : bodies) {
    const std::uint16_t type = type_of(body);
    RecordedEvent event;
    event.event = body;
    event.stream = type < 64    ? StreamId::account(tenant_id(), account_id())
                   : type < 96  ? StreamId::of_tenant(tenant_id())
                   : type < 112 ? StreamId::payment(tenant_id(), "yookassa", "22e12f66-000f-5000")
                                : StreamId::partition(tenant_id());
    event.version = type == HoldPlaced::kType       ? 10
                    : type == AccountOpened::kType  ? 1
                    : type == PaymentClaimed::kType ? 1
                                                    : 12;
    event.recorded_at = {morning().micros + 1};
    const bool counts_earlier = type == ChargePosted::kType || type == AdjustmentPosted::kType;
    event.effective_at = counts_earlier ? morning(-86'400) : event.recorded_at;
    const bool is_ours = type == HoldExpired::kType || type == CatalogueAdopted::kType;
    event.actor = is_ours ? "system" : "key:k-7f3a";
    if (!is_ours && type != PaymentClaimed::kType && type != TenantCreated::kType) {
      event.idempotency_key = "order-" + std::to_string(type);
      event.fingerprint = 0x0123456789ABCDEF;
    }
    event.rules_version = 1;
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace daybook::domain

namespace daybook::test {
using domain::representative_events;
}  // namespace daybook::test
