#include "eventstore/event_codec.h"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "eventstore/public_json.h"
#include "eventstore/wire.h"
#include "tests/support/describe.h"
#include "tests/support/events.h"

namespace daybook::eventstore {
namespace {

using domain::RecordedEvent;
using test::amount;
using test::any_event;
using test::currency;
using test::kThai;
using test::limit;
using test::morning;
using test::representative_events;
using test::rub;
using test::usd;

/// A decoder may refuse; what it accepts must be what the encoder writes.
void expect_canonical_or_refused(std::string_view bytes) {
  const auto event = decode_event(bytes);
  if (event.ok()) RC_ASSERT(encode_event(*event) == bytes);
  if (!event.ok()) RC_ASSERT(event.status().code() == StatusCode::kCorrupt);
  // The head is a prefix of the same grammar: whatever decodes has a head.
  if (event.ok()) RC_ASSERT(decode_event_head(bytes).ok());
}

RC_GTEST_PROP(EventCodecProperty, every_event_reads_back_as_it_was, ()) {
  const RecordedEvent event = *any_event();
  const std::string bytes = encode_event(event);
  const auto read = decode_event(bytes);
  RC_ASSERT(read.ok());
  RC_ASSERT(*read == event);
  RC_ASSERT(encode_event(*read) == bytes);
  const auto head = decode_event_head(bytes);
  RC_ASSERT(head.ok());
  RC_ASSERT(head->stream == event.stream);
  RC_ASSERT(head->version == event.version);
  RC_ASSERT(head->type == domain::type_of(event.event));
  RC_ASSERT(head->recorded_at == event.recorded_at);
  RC_ASSERT(head->idempotency_key == event.idempotency_key);
}

RC_GTEST_PROP(EventCodecProperty, a_shortened_or_lengthened_event_is_refused, ()) {
  const std::string bytes = encode_event(*any_event());
  const auto size = *rc::gen::inRange<std::size_t>(0, bytes.size());
  RC_ASSERT(!decode_event(std::string_view(bytes).substr(0, size)).ok());
  RC_ASSERT(!decode_event(bytes + *rc::gen::arbitrary<char>()).ok());
}

RC_GTEST_PROP(EventCodecProperty, changed_bytes_are_refused_or_canonical, ()) {
  std::string bytes = encode_event(*any_event());
  const int changes = *rc::gen::inRange(1, 4);
  for (int i = 0; i < changes; ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
  }
  expect_canonical_or_refused(bytes);
}

RC_GTEST_PROP(EventCodecProperty, random_bytes_are_refused_or_canonical, ()) {
  expect_canonical_or_refused(*rc::gen::arbitrary<std::string>());
  // With a good beginning they get further in.
  std::string bytes("\x01", 1);
  WireWriter(bytes).varint(*rc::gen::inRange<std::uint64_t>(0, 130));
  bytes += std::string("\x01\x00\x00\x00\x00\x01", 6) + std::string(8, '\0');
  expect_canonical_or_refused(bytes + *rc::gen::arbitrary<std::string>());
}

TEST(EventCodecTest, every_single_bit_flip_of_every_event_type_is_refused_or_canonical) {
  for (const auto& event : representative_events()) {
    const std::string good = encode_event(event);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bytes = good;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      const auto read = decode_event(bytes);
      if (read.ok()) {
        EXPECT_EQ(encode_event(*read), bytes) << domain::name_of(event.event) << " bit " << bit;
      }
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
      EXPECT_FALSE(decode_event(std::string_view(good).substr(0, size)).ok());
    }
  }
}

TEST(EventCodecTest, every_event_type_has_its_own_number_and_name_and_a_representative) {
  std::set<std::uint16_t> types;
  std::set<std::string_view> names;
  const auto events = representative_events();
  ASSERT_EQ(events.size(), std::variant_size_v<domain::Event>);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].event.index(), i);
    types.insert(domain::type_of(events[i].event));
    names.insert(domain::name_of(events[i].event));
  }
  EXPECT_EQ(types.size(), events.size());
  EXPECT_EQ(names.size(), events.size());
}

/// An envelope by hand, so that each of its bytes can be wrong.
struct Bytes {
  std::uint8_t format = 1;
  std::uint64_t type = domain::AccountFrozen::kType;
  std::uint8_t schema = 1;
  std::uint8_t flags = 0;
  std::uint8_t kind = 0;
  std::string key = {};
  std::uint64_t effective = 0;
  std::uint64_t rules = 1;
  std::string body = std::string(1, '\0');

  std::string text() const {
    std::string out;
    WireWriter wire(out);
    wire.fixed8(format);
    wire.varint(type);
    wire.fixed8(schema);
    wire.fixed8(flags);
    wire.fixed8(kind);
    wire.text("main");
    wire.text("acme");
    wire.varint(7);
    wire.fixed64(1000);
    if ((flags & 2) != 0) wire.varint(effective);
    wire.text("key:x");
    if ((flags & 1) != 0) {
      wire.text(key);
      wire.fixed64(5);
    }
    wire.varint(rules);
    wire.raw(body);
    return out;
  }
};

TEST(EventCodecTest, an_envelope_by_hand_is_read) {
  const auto plain = decode_event(Bytes{}.text());
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->stream, domain::StreamId::account(TenantId("main"), AccountId("acme")));
  EXPECT_EQ(plain->version, 7U);
  EXPECT_EQ(plain->effective_at, Instant{1000});
  const auto full = decode_event(Bytes{.flags = 3, .key = "k", .effective = 4}.text());
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->effective_at, Instant{998});
  EXPECT_EQ(full->idempotency_key, "k");
  EXPECT_EQ(full->fingerprint, 5U);
}

TEST(EventCodecTest, the_documented_example_is_what_is_written) {
  // docs/stored_format.md, "Event".
  const auto event = decode_event(Bytes{.flags = 3, .key = "k", .effective = 4}.text());
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(to_hex(encode_event(*event)),
            "0102010300"
            "046d61696e0461636d6507e80300000000000004"
            "056b65793a78016b0500000000000000"
            "0100");
}

TEST(EventCodecTest, unknown_formats_types_schemas_flags_kinds_and_rules_are_refused) {
  const Bytes wrong[] = {
      {.format = 0},
      {.format = 2},
      {.type = 0},
      {.type = 63},
      {.type = 113},
      {.type = 65'538},
      {.schema = 0},
      {.schema = 2},
      {.flags = 4},
      {.flags = 0x80},
      {.kind = 4},
      {.rules = 0},
      {.rules = 2},
      {.rules = 65'537},
      {.flags = 1, .key = ""},
      {.flags = 2, .effective = 0},
      {.body = ""},
      {.body = "\x02"},
      {.body = std::string("\0\0", 2)},
  };
  for (const auto& bytes : wrong) {
    EXPECT_EQ(decode_event(bytes.text()).status().code(), StatusCode::kCorrupt);
  }
  EXPECT_NE(decode_event(Bytes{.type = 63}.text()).status().message().find("63 is unknown"),
            std::string::npos);
}

TEST(EventCodecTest, unknown_enumerators_are_refused) {
  std::string mode;
  WireWriter(mode).varint(currency("USD").packed());
  const std::string tags(1, '\0');
  const auto opened = [&](char value) {
    return Bytes{.type = domain::AccountOpened::kType, .body = mode + value + tags}.text();
  };
  EXPECT_TRUE(decode_event(opened('\x01')).ok());
  EXPECT_FALSE(decode_event(opened('\x02')).ok());
}

TEST(EventCodecTest, an_event_on_a_stream_of_another_kind_is_refused) {
  for (std::uint8_t kind = 0; kind < 4; ++kind) {
    const auto event = decode_event(Bytes{.kind = kind}.text());
    EXPECT_EQ(event.ok(), kind == 0) << static_cast<int>(kind);
    const std::string version(1, '\x04');
    const auto adopted = decode_event(
        Bytes{.type = domain::CatalogueAdopted::kType, .kind = kind, .body = version}.text());
    EXPECT_EQ(adopted.ok(), kind == 3) << static_cast<int>(kind);
  }
}

TEST(EventCodecTest, the_one_amount_that_cannot_be_negated_is_refused) {
  auto event = representative_events()[domain::CreditLimitSet::kType - 1];
  auto& limit = std::get<domain::CreditLimitSet>(event.event).amount.amount;
  limit.units = kInt128Min;
  EXPECT_FALSE(decode_event(encode_event(event)).ok());
  ++limit.units;
  EXPECT_TRUE(decode_event(encode_event(event)).ok());
}

TEST(EventCodecTest, amounts_have_one_form) {
  const auto limit = [](std::initializer_list<int> amount) {
    std::string body;
    WireWriter wire(body);
    wire.varint(currency("USD").packed());
    for (const int byte : amount) wire.fixed8(static_cast<std::uint8_t>(byte));
    body += std::string("\0\x01r", 3);  // no previous, the reason
    wire.varint(currency("USD").packed());
    body += std::string("\0\0", 2);
    return Bytes{.type = domain::CreditLimitSet::kType, .body = body}.text();
  };
  const auto five = decode_event(limit({12, 10}));
  ASSERT_TRUE(five.ok());
  EXPECT_EQ(std::get<domain::CreditLimitSet>(five->event).amount, usd("5"));
  EXPECT_TRUE(decode_event(limit({12, 20})).ok());
  EXPECT_FALSE(decode_event(limit({13, 10})).ok());  // too large an exponent
  EXPECT_FALSE(decode_event(limit({11, 20})).ok());  // a zero that belongs to the exponent
  EXPECT_TRUE(decode_event(limit({0, 0})).ok());
  EXPECT_FALSE(decode_event(limit({1, 0})).ok());        // zero has exponent 0
  EXPECT_FALSE(decode_event(limit({0, 0x8A, 0})).ok());  // a varint longer than it must be
}

TEST(EventCodecTest, every_number_of_zeros_and_digits_has_the_form_of_the_documents) {
  const auto expect_form = [](int128 units) {
    std::uint8_t exponent = 0;
    for (int128 rest = units; rest != 0 && exponent < 12 && rest % 10 == 0; rest /= 10) ++exponent;
    int128 mantissa = units;
    for (int i = 0; i < exponent; ++i) mantissa /= 10;
    std::string form;
    WireWriter wire(form);
    wire.varint(currency("USD").packed());
    wire.fixed8(exponent);
    wire.varint128(mantissa < 0 ? static_cast<uint128>(-(mantissa + 1)) * 2 + 1
                                : static_cast<uint128>(mantissa) * 2);
    auto event = representative_events()[domain::CreditLimitSet::kType - 1];
    const domain::Money money{domain::Amount{units}, currency("USD")};
    event.event = domain::CreditLimitSet{money, {}, "r", money};
    const std::string bytes = encode_event(event);
    const std::size_t at = bytes.find(form);
    EXPECT_NE(at, std::string::npos) << domain::to_text(domain::Amount{units}, 0);
    EXPECT_NE(bytes.find(form, at + 1), std::string::npos);
    const auto read = decode_event(bytes);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->event, event.event);
  };
  for (const int128 digits : {int128{1}, int128{7}, int128{25}, int128{18'446'744'073'709'551}}) {
    int128 units = digits;
    for (int zeros = 0; zeros <= 20; ++zeros, units *= 10) {
      for (const int128 near : {-units, units - 1, units, units + 1}) expect_form(near);
    }
  }
  for (const int128 edge : {int128{0}, int128{UINT64_MAX}, int128{UINT64_MAX} + 1,
                            -int128{UINT64_MAX}, kInt128Max, -kInt128Max}) {
    expect_form(edge);
  }
}

TEST(EventCodecTest, a_length_is_checked_before_anything_is_allocated) {
  // Were these believed, the process would ask for more memory than there is.
  for (const std::uint64_t length : {std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    std::string reason("\x01", 1);
    WireWriter(reason).varint(length);
    EXPECT_FALSE(decode_event(Bytes{.body = reason}.text()).ok());
    std::string tags;
    WireWriter wire(tags);
    wire.varint(currency("USD").packed());
    wire.fixed8(0);
    wire.varint(length);
    EXPECT_FALSE(
        decode_event(Bytes{.type = domain::AccountOpened::kType, .body = tags}.text()).ok());
    std::string state("\x01", 1);
    WireWriter(state).varint(length);
    EXPECT_FALSE(decode_state<domain::AccountState>(state).ok());
    EXPECT_FALSE(decode_state<domain::TenantState>(state).ok());
  }
}

// --- States

domain::AccountState account_state() {
  domain::AccountState state;
  state.version = 12;
  state.status = domain::AccountStatus::kFrozen;
  state.mode = domain::AccountMode::kPostpaid;
  state.currency = currency("RUB");
  state.opened_at = morning();
  state.balances = {{currency("RUB"), amount("-250"), amount("40"), amount("500")},
                    {currency("USD"), amount("0"), amount("0"), std::nullopt}};
  state.holds = {{10, rub("40"), morning(60), "vm-1"}, {11, rub("1"), std::nullopt, std::nullopt}};
  state.tags = {{std::nullopt, "auto_credit", std::nullopt, std::nullopt, morning()},
                {"vm-1", "contact", "x", domain::PrivateValue{"r", "c"}, morning(1)}};
  return state;
}

domain::TenantState tenant_state() {
  domain::TenantState state;
  state.version = 9;
  state.name = std::string(kThai);
  state.keys = {{"k", "name", {5}, {AccountId("acme")}, "hmac", morning(), morning(9)}};
  state.catalogue = {
      3, {{currency("RUB"), amount("5"), std::nullopt, domain::CurrencyStatus::kInactive}}};
  return state;
}

TEST(StateCodecTest, a_state_reads_back_as_it_was) {
  const auto account = decode_state<domain::AccountState>(encode_state(account_state()));
  ASSERT_TRUE(account.ok());
  EXPECT_EQ(*account, account_state());
  const auto tenant = decode_state<domain::TenantState>(encode_state(tenant_state()));
  ASSERT_TRUE(tenant.ok());
  EXPECT_EQ(*tenant, tenant_state());
}

TEST(StateCodecTest, a_damaged_state_is_refused_or_canonical) {
  const auto check = [](const std::string& good, auto decode) {
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bytes = good;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      const auto read = decode(bytes);
      if (read.ok()) {
        EXPECT_EQ(encode_state(*read), bytes) << "bit " << bit;
      }
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
      EXPECT_FALSE(decode(std::string_view(good).substr(0, size)).ok());
    }
    EXPECT_FALSE(decode(good + "x").ok());
    EXPECT_FALSE(decode("\x02" + good.substr(1)).ok());
  };
  check(encode_state(account_state()), decode_state<domain::AccountState>);
  check(encode_state(tenant_state()), decode_state<domain::TenantState>);
}

TEST(StateCodecTest, unknown_enumerators_in_a_state_are_refused) {
  auto account = account_state();
  account.status = static_cast<domain::AccountStatus>(4);
  EXPECT_FALSE(decode_state<domain::AccountState>(encode_state(account)).ok());
  account = account_state();
  account.mode = static_cast<domain::AccountMode>(2);
  EXPECT_FALSE(decode_state<domain::AccountState>(encode_state(account)).ok());
  auto tenant = tenant_state();
  tenant.catalogue.currencies[0].status = static_cast<domain::CurrencyStatus>(2);
  EXPECT_FALSE(decode_state<domain::TenantState>(encode_state(tenant)).ok());
  tenant = tenant_state();
  tenant.keys[0].grant.roles.bits = 16;
  EXPECT_FALSE(decode_state<domain::TenantState>(encode_state(tenant)).ok());
}

}  // namespace
}  // namespace daybook::eventstore
