#include "replay/event_check.h"

#include <gtest/gtest.h>

#include "tests/support/controls.h"

namespace daybook::replay {
namespace {

using domain::AccountStatus;

domain::RecordedEvent next(const domain::AccountState& state, domain::Event body) {
  domain::RecordedEvent event;
  event.stream = domain::StreamId::account(test::tenant_id(), test::account_id());
  event.version = state.version + 1;
  event.recorded_at = event.effective_at = test::morning();
  event.actor = "key:k1";
  event.event = std::move(body);
  return event;
}

TEST(EventCheckTest, a_reopening_brings_back_the_status_that_was_closed_and_no_other) {
  for (const bool frozen : {false, true}) {
    domain::AccountState state;
    evolve(state, next(state, domain::AccountOpened{test::currency("USD"), {}, {}}));
    if (frozen) evolve(state, next(state, domain::AccountFrozen{}));
    evolve(state, next(state, domain::AccountClosed{}));
    for (const auto status : {AccountStatus::kNone, AccountStatus::kOpen, AccountStatus::kFrozen,
                              AccountStatus::kClosed}) {
      const bool is_right = status == (frozen ? AccountStatus::kFrozen : AccountStatus::kOpen);
      EXPECT_EQ(check_evolves(state, next(state, domain::AccountReopened{{}, status})).has_value(),
                !is_right)
          << name_of(status);
    }
  }
}

TEST(EventCheckTest, what_has_no_public_form_is_found) {
  const domain::AccountState none;
  auto event = next(none, domain::AccountOpened{test::currency("USD"), {}, {{"plan", "a"}}});
  EXPECT_FALSE(check_form(event).has_value());
  const auto check_of = [](const domain::RecordedEvent& changed) {
    const auto finding = check_form(changed);
    return finding ? finding->check : "none";
  };
  const std::string broken = "caf\xE9";
  auto changed = event;
  changed.event = domain::AccountOpened{test::currency("USD"), {}, {{"plan", broken}}};
  EXPECT_EQ(check_of(changed), "values");
  changed.event = domain::AccountFrozen{broken};
  EXPECT_EQ(check_of(changed), "values");
  changed = event;
  changed.actor = broken;
  EXPECT_EQ(check_of(changed), "values");
  changed = event;
  changed.idempotency_key = std::string("a\0b", 3);
  EXPECT_EQ(check_of(changed), "values");
  changed = event;
  changed.recorded_at.micros = INT64_MAX;
  EXPECT_EQ(check_of(changed), "values");
  changed = event;
  changed.event =
      domain::HoldExpired{{1}, test::usd("1"), Instant{INT64_MIN}, test::usd("0"), test::usd("0")};
  EXPECT_EQ(check_of(changed), "values");

  domain::RecordedEvent key;
  key.stream = domain::StreamId::of_tenant(test::tenant_id());
  key.version = 1;
  key.recorded_at = key.effective_at = test::morning();
  domain::KeyGrant grant{"k", "name", {}, {AccountId("acme")}, std::string(32, '\xA7')};
  key.event = domain::ApiKeyCreated{grant};
  EXPECT_EQ(check_of(key), "none") << "the secret is shown in hexadecimal";
  grant.accounts.emplace_back(broken);
  key.event = domain::ApiKeyCreated{grant};
  EXPECT_EQ(check_of(key), "values");
}

}  // namespace
}  // namespace daybook::replay
