#include "eventstore/key_filter.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "eventstore/fake_log.h"
#include "eventstore/log_index.h"
#include "eventstore/memory_kv.h"

namespace daybook::eventstore {
namespace {

LookupKey key_of(std::uint64_t number) {
  return lookup_key(LookupKind::kIdempotencyKey,
                    domain::StreamId::account(TenantId("main"), AccountId("a1")),
                    std::to_string(number));
}

TEST(KeyFilterTest, it_says_nothing_before_all_keys_are_added) {
  KeyFilter filter;
  filter.add(key_of(1));
  EXPECT_TRUE(filter.may_hold(key_of(1)));
  EXPECT_TRUE(filter.may_hold(key_of(2)));
  filter.complete();
  EXPECT_TRUE(filter.may_hold(key_of(1)));
  EXPECT_FALSE(filter.may_hold(key_of(2)));
  filter.add(key_of(2));
  EXPECT_TRUE(filter.may_hold(key_of(2)));
}

TEST(KeyFilterTest, what_was_added_is_held_and_few_others_seem_to_be_across_its_growth) {
  KeyFilter filter;
  filter.complete();
  const std::size_t before = filter.bytes();
  constexpr std::uint64_t kKeys = 4'000'000;  // Three segments.
  for (std::uint64_t i = 0; i < kKeys; ++i) filter.add(key_of(i));
  EXPECT_GT(filter.bytes(), 3 * before);
  for (std::uint64_t i = 0; i < kKeys; ++i) ASSERT_TRUE(filter.may_hold(key_of(i))) << i;
  constexpr std::uint64_t kOthers = 100'000;
  std::uint64_t seem_held = 0;
  for (std::uint64_t i = 0; i < kOthers; ++i) seem_held += filter.may_hold(key_of(kKeys + i));
  EXPECT_LT(seem_held, kOthers / 20);
}

TEST(KeyFilterTest, beyond_its_bound_it_says_nothing) {
  constexpr std::size_t kBytesMax = 4'096;
  KeyFilter filter(0, kBytesMax);
  filter.complete();
  EXPECT_FALSE(filter.may_hold(key_of(1)));
  for (std::uint64_t i = 0; i < kBytesMax * 8 / KeyFilter::kBitsPerKey * 2; ++i) {
    filter.add(key_of(i));
  }
  EXPECT_TRUE(filter.is_full());
  for (std::uint64_t i = 0; i < 10'000; ++i) ASSERT_TRUE(filter.may_hold(key_of(i))) << i;
  EXPECT_LE(filter.bytes(), kBytesMax);
}

TEST(KeyFilterTest, where_not_even_the_keys_that_are_there_fit_it_takes_no_memory) {
  const KeyFilter filter(100'000, 4'096);
  EXPECT_TRUE(filter.is_full());
  EXPECT_TRUE(filter.may_hold(key_of(1)));
  EXPECT_EQ(filter.bytes(), 0U);
}

TEST(KeyFilterTest, made_for_the_keys_there_are_it_has_room_for_more_and_counts_none_twice) {
  constexpr std::uint64_t kKeys = 2'000'000;
  KeyFilter filter(kKeys);
  filter.complete();
  const std::size_t before = filter.bytes();
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t i = 0; i < kKeys + kKeys / 4; ++i) filter.add(key_of(i));
  }
  EXPECT_EQ(filter.bytes(), before);
  EXPECT_LE(before, kKeys * 3 / 2 * KeyFilter::kBitsPerKey / 8 + 128);
  std::uint64_t seem_held = 0;
  for (std::uint64_t i = 0; i < 100'000; ++i) seem_held += filter.may_hold(key_of(2 * kKeys + i));
  EXPECT_LT(seem_held, 1'000U);
}

TEST(KeyFilterTest, it_grows_into_all_of_its_bound) {
  constexpr std::size_t kBytesMax = std::size_t{4} << 20;
  constexpr std::uint64_t kFit = kBytesMax * 8 / KeyFilter::kBitsPerKey;
  for (const std::uint64_t expected : {kFit / 10, kFit / 2, kFit * 9 / 10}) {
    KeyFilter filter(expected, kBytesMax);
    filter.complete();
    for (std::uint64_t i = 0; i < kFit * 98 / 100; ++i) filter.add(key_of(i));
    EXPECT_FALSE(filter.is_full()) << expected;
    EXPECT_LE(filter.bytes(), kBytesMax);
    std::uint64_t seem_held = 0;
    for (std::uint64_t i = 0; i < 10'000; ++i) seem_held += filter.may_hold(key_of(2 * kFit + i));
    EXPECT_LT(seem_held, 500U) << expected;
  }
}

TEST(KeyFilterTest, what_is_published_after_it_was_added_is_held_for_every_other_thread) {
  KeyFilter filter;
  filter.complete();
  constexpr std::uint64_t kKeys = 1'500'000;  // It grows on the way.
  std::atomic<std::uint64_t> published{0};
  std::thread adder([&] {
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      filter.add(key_of(i));
      published.store(i + 1, std::memory_order_release);
    }
  });
  std::thread filler([&] {  // The same keys from another side, as a start does.
    for (std::uint64_t i = kKeys; i-- > 0;) filter.add(key_of(i));
  });
  bool holds = true;
  for (std::uint64_t seen = 0; seen < kKeys;) {
    seen = published.load(std::memory_order_acquire);
    if (seen > 0)
      holds = holds && filter.may_hold(key_of(seen - 1)) && filter.may_hold(key_of(seen / 2));
  }
  adder.join();
  filler.join();
  EXPECT_TRUE(holds);
}

constexpr LogIndex::Tables kTables{.keys = 0, .streams = 1, .states = 2};

TEST(KeyFilterTest, an_index_fills_it_with_the_rows_that_are_there) {
  MemoryKv store(3);
  DecodedEntry entry;
  for (int i = 0; i < 100; ++i) {
    domain::RecordedEvent& event = entry.events.emplace_back();
    event.stream = domain::StreamId::account(TenantId("main"), AccountId("a1"));
    event.idempotency_key = std::to_string(i);
    event.event = domain::NoChange{};
  }
  KvBatch batch;
  batch.put(kTables.keys, std::string("\0checkpoint", 11), "not a key");
  KeyRows(kTables.keys).apply(entry, batch);
  ASSERT_TRUE(store.write(batch).ok());

  const FakeLog log;
  LogIndex index(store, log, kTables);
  EXPECT_TRUE(index.key_filter().may_hold(key_of(100))) << "not filled yet";
  ASSERT_TRUE(index.fill_key_filter({}).ok());
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(index.key_filter().may_hold(key_of(i))) << i;
  EXPECT_FALSE(index.key_filter().may_hold(key_of(100)));

  entry.events.resize(1);
  entry.events[0].idempotency_key = "100";
  KeyRows(kTables.keys, &index.key_filter()).apply(entry, batch);
  EXPECT_TRUE(index.key_filter().may_hold(key_of(100)));
}

TEST(KeyFilterTest, a_filling_that_is_stopped_or_finds_damage_leaves_it_silent) {
  MemoryKv store(3);
  const FakeLog log;
  KvBatch batch;
  batch.put(kTables.keys, "K short", "");
  ASSERT_TRUE(store.write(batch).ok());
  LogIndex index(store, log, kTables);
  EXPECT_EQ(index.fill_key_filter({}).code(), StatusCode::kCorrupt);
  EXPECT_TRUE(index.key_filter().may_hold(key_of(1)));

  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(index.fill_key_filter(stop.get_token()).ok());
  EXPECT_TRUE(index.key_filter().may_hold(key_of(1)));
}

}  // namespace
}  // namespace daybook::eventstore
