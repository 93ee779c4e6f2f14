#include "replay/account_replay.h"

#include <gtest/gtest.h>

#include "projections/accounts.h"
#include "projections/streams.h"
#include "tests/replay/ledger_rig.h"

namespace daybook::replay {
namespace {

class AccountReplayTest : public testing::Test {
 protected:
  void SetUp() override { make_ledger(dir(), clock_, 300); }

  std::string dir() const { return temp_.file("ledger"); }
  static ReplayQuery query(const std::string& account, const std::string& tenant) {
    ReplayQuery made;
    made.account = AccountId(account);
    if (!tenant.empty()) made.tenant = TenantId(tenant);
    return made;
  }

  TempDir temp_;
  TickingClock clock_;
};

TEST_F(AccountReplayTest, every_account_is_what_the_read_models_say) {
  const auto kv = open_projections_for_reading(dir());
  ASSERT_TRUE(kv.ok());
  const auto reader = (*kv)->snapshot();
  for (const char* tenant : {"north", "south"}) {
    for (int i = 0; i < RandomCommands::kAccounts; ++i) {
      const AccountId id("a" + std::to_string(i));
      const auto folded = replay_account(dir(), query(id.value(), tenant));
      ASSERT_TRUE(folded.ok()) << folded.status().message();
      const auto rows =
          projections::balances_of(*reader, projections::kBalancesTable, TenantId(tenant), id);
      ASSERT_TRUE(rows.ok());
      ASSERT_EQ(folded->balances.size(), rows->size());
      for (std::size_t k = 0; k < rows->size(); ++k) {
        EXPECT_EQ(folded->balances[k].balance, (*rows)[k].balance.balance);
        EXPECT_EQ(folded->balances[k].held, (*rows)[k].balance.held);
      }
      const auto account =
          projections::account_of(*reader, projections::kAccountsTable, TenantId(tenant), id);
      ASSERT_TRUE(account.ok() && account->has_value());
      EXPECT_EQ(folded->state.version, (*account)->version);
      EXPECT_EQ(folded->state.tags.size(), (*account)->tags.size());
    }
  }
}

TEST_F(AccountReplayTest, the_past_is_what_the_stream_says) {
  const auto kv = open_projections_for_reading(dir());
  ASSERT_TRUE(kv.ok());
  const auto reader = (*kv)->snapshot();
  const projections::StreamReader stream(
      *reader, {projections::kStreamsTable, projections::kStatesTable},
      domain::StreamId::account(TenantId("north"), AccountId("a1")));
  const auto last = stream.last_version();
  ASSERT_TRUE(last.ok());
  ASSERT_GT(*last, 10u);
  for (std::uint64_t version = 1; version <= *last; version += 3) {
    const auto event = stream.event_at(version);
    const auto state = stream.state_at(version);
    ASSERT_TRUE(event.ok() && state.ok());
    ReplayQuery at = query("a1", "north");
    at.as_of_position = (*event)->position;
    const auto folded = replay_account(dir(), at);
    ASSERT_TRUE(folded.ok());
    EXPECT_EQ(folded->state, *state);
    EXPECT_EQ(folded->position, (*event)->position);
    ReplayQuery by = query("a1", "north");
    by.as_of = (*event)->event.recorded_at;
    const auto folded_by = replay_account(dir(), by);
    ASSERT_TRUE(folded_by.ok());
    EXPECT_GE(folded_by->state.version, version);
    const auto version_by = stream.version_as_of(*by.as_of);
    EXPECT_EQ(folded_by->state.version, *version_by);
  }
}

TEST_F(AccountReplayTest, the_terms_are_those_of_the_point) {
  ReplayQuery at = query("a0", "north");
  at.as_of_position = 3;  // Tenant, currency, adoption, opening.
  const auto folded = replay_account(dir(), at);
  ASSERT_TRUE(folded.ok()) << folded.status().message();
  EXPECT_EQ(folded->balances[0].credit_limit, money("25.00").amount);
  EXPECT_EQ(folded->balances[0].credit_limit_source, domain::CreditLimitSource::kCurrencyDefault);
}

TEST_F(AccountReplayTest, an_account_that_never_was_is_not_found) {
  const auto folded = replay_account(dir(), query("ghost", ""));
  EXPECT_EQ(folded.status().code(), StatusCode::kNotFound);
  EXPECT_EQ(folded.status().message().find("not yet"), std::string::npos);
}

TEST_F(AccountReplayTest, an_account_before_its_opening_is_not_yet) {
  ReplayQuery at = query("a0", "south");
  at.as_of_position = 1;
  auto folded = replay_account(dir(), at);
  EXPECT_EQ(folded.status().code(), StatusCode::kNotFound);
  EXPECT_NE(folded.status().message().find("not yet"), std::string::npos);
  ReplayQuery by = query("a0", "south");
  by.as_of = Instant{0};
  folded = replay_account(dir(), by);
  EXPECT_NE(folded.status().message().find("not yet"), std::string::npos);
}

TEST_F(AccountReplayTest, an_account_of_several_tenants_needs_the_tenant) {
  EXPECT_EQ(replay_account(dir(), query("a0", "")).status().code(), StatusCode::kConflict);
}

TEST_F(AccountReplayTest, a_position_beyond_the_log_is_refused) {
  ReplayQuery at = query("a0", "north");
  at.as_of_position = 1'000'000;
  EXPECT_EQ(replay_account(dir(), at).status().code(), StatusCode::kNotFound);
}

TEST_F(AccountReplayTest, no_read_model_is_needed) {
  const auto before = replay_account(dir(), query("a0", "north"));
  std::filesystem::remove_all(LedgerFiles(dir()).projections);
  const auto after = replay_account(dir(), query("a0", "north"));
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(to_json(*before), to_json(*after));
  EXPECT_NE(to_json(*after).find("\"plan\":{\"value\":\"gold\"}"), std::string::npos);
  EXPECT_NE(to_json(*after).find("\"position\":\"0:"), std::string::npos);
}

TEST_F(AccountReplayTest, the_past_is_final_up_to_the_moment_that_the_log_has_closed) {
  auto point = query("a1", "north");
  const auto now = replay_account(dir(), point);
  ASSERT_TRUE(now.ok());
  EXPECT_TRUE(now->is_final()) << "it speaks for a position";
  EXPECT_EQ(to_json(*now).find("\"final\""), std::string::npos);
  const Instant last = entries_of(dir()).back().last_recorded_at;
  const Instant later{last.micros + 1'000'000'000};
  const Instant before{last.micros - 1};
  point.as_of = last;
  EXPECT_FALSE(replay_account(dir(), point)->is_final()) << "another may be recorded at it";
  point.as_of = before;
  EXPECT_TRUE(replay_account(dir(), point)->is_final());
  EXPECT_NE(to_json(*replay_account(dir(), point)).find("\"final\":true"), std::string::npos);
  point.as_of = later;
  const auto open = replay_account(dir(), point);
  ASSERT_TRUE(open.ok());
  EXPECT_FALSE(open->is_final());
  EXPECT_EQ(open->closed, before);
  EXPECT_NE(to_json(*open).find("\"final\":false"), std::string::npos);
  {
    // As a read of the API does; an event that was decided before would be in the log by then.
    const auto log = RocksLog::open(dir(), {});
    ASSERT_TRUE(log.ok() && (*log)->close(later).ok());
  }
  EXPECT_TRUE(replay_account(dir(), point)->is_final());
}

}  // namespace
}  // namespace daybook::replay
