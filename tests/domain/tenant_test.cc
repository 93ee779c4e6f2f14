#include "domain/tenant.h"

#include <gtest/gtest.h>

#include "tests/support/controls.h"
#include "tests/support/describe.h"

namespace daybook::domain {
namespace {

using test::amount;
using test::currency;
using test::morning;
using test::rub;
using test::tenant_id;

Roles roles(std::initializer_list<Role> list) {
  Roles result;
  for (const Role role : list) result.add(role);
  return result;
}
KeyGrant key(std::string id, Roles with) {
  return {std::move(id), "a key", with, {}, std::string(32, 'h')};
}
CreateTenant create() { return {"Hosting Ltd", key("k1", roles({Role::kAdmin}))}; }
SetCurrency set(std::string_view code, std::optional<Amount> credit,
                std::optional<Amount> least = std::nullopt,
                CurrencyStatus status = CurrencyStatus::kActive) {
  return {currency(code), credit, least, status};
}

/// A tenant and what has happened to it.
class TenantTest : public ::testing::Test {
 protected:
  Outcome when(const TenantCommand& command, bool keyed = true) {
    Outcome outcome = decide(command, state_, keyed);
    if (const auto* decision = std::get_if<Decision>(&outcome)) {
      for (const auto& event : decision->events) evolve(state_, event, morning());
    }
    return outcome;
  }
  static std::vector<Event> events(const Outcome& outcome) {
    const auto* decision = std::get_if<Decision>(&outcome);
    return decision == nullptr ? std::vector<Event>{} : decision->events;
  }
  static Rejection rejection(const Outcome& outcome) {
    const auto* found = std::get_if<Rejection>(&outcome);
    EXPECT_NE(found, nullptr);
    return found == nullptr ? Rejection{} : *found;
  }

  TenantState state_;
};

CommandRefused no(std::string command, RefusalReason reason) {
  return {std::move(command), reason, std::nullopt, std::nullopt};
}

TEST_F(TenantTest, a_default_limit_has_one_digit_less_than_a_balance) {
  when(create());
  const auto no_limit = rejection(when(set("USD", amount("10000000000000000000000000"))));
  EXPECT_EQ(no_limit.pointer, "/default_credit_limit");
  EXPECT_EQ(events(when(set("USD", amount("9999999999999999999999999.999999999999")))).size(), 1u);
}

TEST_F(TenantTest, a_tenant_is_created_with_its_first_key_and_once) {
  const auto outcome = when(create());
  EXPECT_EQ(events(outcome),
            (std::vector<Event>{TenantCreated{"Hosting Ltd", key("k1", roles({Role::kAdmin}))}}));
  EXPECT_EQ(state_.version, 1U);
  EXPECT_EQ(state_.name, "Hosting Ltd");
  ASSERT_EQ(state_.keys.size(), 1U);
  EXPECT_EQ(state_.keys[0].created_at, morning());
  EXPECT_EQ(events(when(create())),
            (std::vector<Event>{no("tenant", RefusalReason::kTenantExists)}));
}

TEST_F(TenantTest, no_command_finds_a_tenant_that_was_never_created) {
  for (const TenantCommand& command :
       {TenantCommand(CreateApiKey{key("k", {})}), TenantCommand(RevokeApiKey{"k"}),
        TenantCommand(set("USD", amount("1"))), TenantCommand(ChangeSettings{"x"})}) {
    EXPECT_EQ(rejection(when(command)).kind, RejectionKind::kNotFound);
  }
  EXPECT_EQ(state_, TenantState{});
}

TEST_F(TenantTest, a_key_is_revoked_once_and_stays_known) {
  when(create());
  when(CreateApiKey{key("k2", roles({Role::kClient, Role::kAuditor}))});
  EXPECT_TRUE(state_.keys[1].grant.roles.has(Role::kClient));
  EXPECT_FALSE(state_.keys[1].grant.roles.has(Role::kAdmin));
  EXPECT_EQ(events(when(RevokeApiKey{"k2"})), (std::vector<Event>{ApiKeyRevoked{"k2"}}));
  EXPECT_EQ(state_.keys[1].revoked_at, morning());
  EXPECT_EQ(state_.keys[0].revoked_at, std::nullopt);
  EXPECT_EQ(events(when(RevokeApiKey{"k2"})), (std::vector<Event>{NoChange{}}));
  EXPECT_TRUE(events(when(RevokeApiKey{"k2"}, false)).empty());
  EXPECT_EQ(rejection(when(RevokeApiKey{"k3"})).kind, RejectionKind::kNotFound);
}

TEST_F(TenantTest, the_last_admin_key_cannot_be_revoked) {
  when(create());
  when(CreateApiKey{key("k2", roles({Role::kOperator}))});
  const std::vector<Event> refusal = {no("revoke-key", RefusalReason::kLastAdminKey)};
  EXPECT_EQ(events(when(RevokeApiKey{"k1"})), refusal);
  when(CreateApiKey{key("k3", roles({Role::kAdmin, Role::kOperator}))});
  EXPECT_EQ(events(when(RevokeApiKey{"k1"})), (std::vector<Event>{ApiKeyRevoked{"k1"}}));
  EXPECT_EQ(events(when(RevokeApiKey{"k3"})), refusal);
  EXPECT_EQ(events(when(RevokeApiKey{"k2"})), (std::vector<Event>{ApiKeyRevoked{"k2"}}));
}

TEST_F(TenantTest, a_tenant_has_at_most_ten_thousand_keys) {
  when(create());
  for (std::size_t i = 1; i < kApiKeysMax; ++i) {
    state_.keys.push_back({{"x" + std::to_string(i), {}, {}, {}, {}}, morning(), std::nullopt});
  }
  EXPECT_EQ(events(when(CreateApiKey{key("one-more", {})})),
            (std::vector<Event>{no("key", RefusalReason::kLimitReached)}));
  when(RevokeApiKey{"x7"});
  const CreateApiKey instead{key("one-more", {})};
  EXPECT_EQ(events(when(instead)), (std::vector<Event>{ApiKeyCreated{instead.key}}));
}

TEST_F(TenantTest, of_more_than_ten_thousand_revoked_keys_the_first_are_forgotten) {
  when(create());
  const auto revoked = [](std::size_t i) {
    return ApiKey{{"x" + std::to_string(i), {}, {}, {}, {}}, morning(), morning()};
  };
  for (std::size_t i = 0; i < kApiKeysMax; ++i) state_.keys.push_back(revoked(i));
  // Created long ago, revoked last.
  state_.keys[1].revoked_at = Instant{morning().micros + 1};
  state_.keys[2].revoked_at = Instant{morning().micros - 1};
  when(CreateApiKey{key("fresh", {})});
  EXPECT_EQ(events(when(RevokeApiKey{"fresh"})), (std::vector<Event>{ApiKeyRevoked{"fresh"}}));
  EXPECT_EQ(state_.keys.size(), kApiKeysMax + 1);
  EXPECT_EQ(state_.keys[0].grant.id, "k1");
  EXPECT_EQ(state_.keys[1].grant.id, "x0");
  EXPECT_EQ(state_.keys[2].grant.id, "x2");
  EXPECT_EQ(rejection(when(RevokeApiKey{"x1"})).kind, RejectionKind::kNotFound);
}

TEST_F(TenantTest, a_currency_entry_raises_the_catalogue_version_and_is_adopted) {
  when(create());
  const auto outcome = when(set("RUB", amount("500"), amount("10")));
  EXPECT_EQ(events(outcome), (std::vector<Event>{CurrencySet{currency("RUB"), rub("500"), rub("10"),
                                                             CurrencyStatus::kActive, 1}}));
  EXPECT_EQ(std::get<Decision>(outcome).adopted, CatalogueAdopted{1});
  EXPECT_EQ(state_.catalogue.version, 1U);
  ASSERT_NE(state_.catalogue.find(currency("RUB")), nullptr);
  EXPECT_EQ(state_.catalogue.find(currency("USD")), nullptr);
}

TEST_F(TenantTest, an_entry_replaces_the_whole_of_the_one_before) {
  when(create());
  when(set("RUB", amount("500"), amount("10")));
  when(set("EUR", std::nullopt));
  EXPECT_EQ(
      events(when(set("RUB", std::nullopt, std::nullopt, CurrencyStatus::kInactive))),
      (std::vector<Event>{CurrencySet{currency("RUB"), {}, {}, CurrencyStatus::kInactive, 3}}));
  ASSERT_EQ(state_.catalogue.currencies.size(), 2U);
  EXPECT_LT(state_.catalogue.currencies[0].currency, state_.catalogue.currencies[1].currency);
  EXPECT_EQ(*state_.catalogue.find(currency("RUB")),
            (CurrencyEntry{currency("RUB"), {}, {}, CurrencyStatus::kInactive}));
}

TEST_F(TenantTest, the_same_entry_again_changes_nothing) {
  when(create());
  when(set("RUB", amount("500")));
  const auto outcome = when(set("RUB", amount("500")));
  EXPECT_EQ(events(outcome), (std::vector<Event>{NoChange{}}));
  EXPECT_EQ(std::get<Decision>(outcome).adopted, std::nullopt);
  EXPECT_TRUE(events(when(set("RUB", amount("500")), false)).empty());
  EXPECT_EQ(state_.catalogue.version, 1U);
}

TEST_F(TenantTest, negative_terms_are_invalid_and_zero_is_a_term) {
  when(create());
  EXPECT_EQ(rejection(when(set("RUB", amount("-1")))).pointer, "/default_credit_limit");
  EXPECT_EQ(rejection(when(set("RUB", {}, amount("-0.01")))).pointer, "/minimum_top_up");
  EXPECT_EQ(events(when(set("RUB", amount("0"), amount("0")))).size(), 1U);
}

TEST_F(TenantTest, settings_change_once) {
  when(create());
  EXPECT_EQ(events(when(ChangeSettings{"New"})), (std::vector<Event>{SettingsChanged{"New"}}));
  EXPECT_EQ(events(when(ChangeSettings{"New"})), (std::vector<Event>{NoChange{}}));
  EXPECT_EQ(events(when(ChangeSettings{std::nullopt})),
            (std::vector<Event>{SettingsChanged{std::nullopt}}));
  EXPECT_EQ(state_.name, std::nullopt);
}

TEST_F(TenantTest, an_event_out_of_turn_or_of_another_stream_is_a_bug) {
  RecordedEvent event;
  event.stream = StreamId::of_tenant(tenant_id());
  event.version = 2;
  event.event = TenantCreated{};
  EXPECT_DEATH(evolve(state_, event), "CHECK");
  EXPECT_DEATH(evolve(state_, Event(AccountFrozen{}), morning()), "CHECK");
  EXPECT_DEATH(evolve(state_, Event(CurrencySet{currency("USD"), {}, {}, {}, 2}), morning()),
               "CHECK");
}

}  // namespace
}  // namespace daybook::domain
