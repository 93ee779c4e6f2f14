#include "eventstore/log_index.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "eventstore/event_codec.h"
#include "eventstore/fake_log.h"
#include "eventstore/memory_kv.h"
#include "tests/support/controls.h"

namespace daybook::eventstore {
namespace {

using domain::StreamId;

constexpr Table kStates = 0;

StreamId account_of(std::size_t number) {
  return StreamId::account(TenantId("main"), AccountId("a" + std::to_string(number)));
}

/// One entry that opens so many accounts of ten tags of a kilobyte each.
DecodedEntry open_accounts(std::size_t first, std::size_t count) {
  domain::AccountOpened opened;
  opened.currency = *domain::Currency::parse("USD");
  for (int i = 0; i < 10; ++i) {
    opened.tags.push_back({"t" + std::to_string(i), std::string(1'000, 'v')});
  }
  DecodedEntry entry;
  for (std::size_t i = 0; i < count; ++i) {
    entry.bytes.emplace_back();
    domain::RecordedEvent& event = entry.events.emplace_back();
    event.stream = account_of(first + i);
    event.version = 1;
    event.recorded_at = test::morning();
    event.event = opened;
  }
  return entry;
}

TEST(StateRowsTest, states_kept_between_batches_have_a_bound_in_bytes) {
  MemoryKv store(1);
  constexpr std::size_t kBytesMax = 200'000;
  StateRows rows(store, kStates, kBytesMax);
  bool has_kept = false;
  for (std::size_t first = 0; first < 100; first += 5) {
    KvBatch batch;
    ASSERT_TRUE(rows.apply(open_accounts(first, 5), batch).ok());
    rows.finish(batch);
    ASSERT_TRUE(store.write(batch).ok());
    EXPECT_LE(rows.cached_bytes(), kBytesMax);
    has_kept = has_kept || rows.cached_bytes() > kBytesMax / 2;
  }
  EXPECT_TRUE(has_kept);
  // What was let go is read again.
  DecodedEntry entry;
  entry.bytes.emplace_back();
  domain::RecordedEvent& event = entry.events.emplace_back();
  event.stream = account_of(0);
  event.version = 2;
  event.event = domain::NoChange{};
  KvBatch batch;
  ASSERT_TRUE(rows.apply(entry, batch).ok());
  rows.finish(batch);
  ASSERT_TRUE(store.write(batch).ok());
  const auto row = store.get(kStates, latest_state_key(account_of(0)));
  ASSERT_TRUE(row.ok() && row->has_value());
  const auto state = decode_state<domain::AccountState>(**row);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->version, 2U);
  EXPECT_EQ(state->tags.size(), 10U);
}

TEST(LogIndexTest, only_the_states_that_are_wanted_are_read) {
  MemoryKv store(3);
  FakeLog log;
  constexpr LogIndex::Tables kTables{.keys = 1, .streams = 2, .states = kStates};
  const LogIndex index(store, log, kTables);
  KvBatch batch;
  batch.put(kStates, latest_state_key(StreamId::of_tenant(TenantId("main"))), "no state");
  ASSERT_TRUE(store.write(batch).ok());
  Command command;
  command.tenant = TenantId("main");
  command.account = AccountId("a0");
  command.body = domain::AccountCommand(domain::SettleAccount{});
  const auto found = index.look_up(command, {.tenant = false, .account = true});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_FALSE(found->tenant.has_value());
  EXPECT_TRUE(found->account.has_value());
  EXPECT_EQ(index.look_up(command).status().code(), StatusCode::kCorrupt);
  EXPECT_FALSE(index.look_up(command, {.tenant = false, .account = false})->account.has_value());
}

}  // namespace
}  // namespace daybook::eventstore
