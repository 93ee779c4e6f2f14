#include "replay/inspect.h"

#include <gtest/gtest.h>

#include "eventstore/event_codec.h"
#include "eventstore/public_json.h"
#include "tests/replay/ledger_rig.h"

namespace daybook::replay {
namespace {

class InspectTest : public testing::Test {
 protected:
  void SetUp() override { make_ledger(dir(), clock_, 200); }
  std::string dir() const { return temp_.file("ledger"); }

  TempDir temp_;
  TickingClock clock_;
};

TEST_F(InspectTest, an_entry_is_shown_as_it_is_chained) {
  const auto entries = entries_of(dir());
  const auto view = inspect_entry(dir(), 4);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->entry, entries[4]);
  EXPECT_EQ(view->chain, entries[5].prev_chain);
  EXPECT_NE(to_text(*view).find(eventstore::to_hex(view->chain)), std::string::npos);
  EXPECT_NE(to_json(*view).find("\"entry\":4"), std::string::npos);
}

TEST_F(InspectTest, an_event_is_shown_as_json_and_as_it_is_stored) {
  for (const std::uint64_t position : {0U, 9U, 100U}) {
    const auto view = inspect_event(dir(), position);
    ASSERT_TRUE(view.ok());
    EXPECT_EQ(eventstore::encode_event(view->event), view->bytes);
    EXPECT_NE(to_json(*view).find(eventstore::public_json(view->event)), std::string::npos);
    EXPECT_NE(to_text(*view, true).find(eventstore::to_hex(view->bytes)), std::string::npos);
    EXPECT_EQ(view->position, position);
  }
}

TEST_F(InspectTest, an_event_behind_entries_without_events_is_shown) {
  const std::uint64_t next = inspect_stats(dir())->head.next_position;
  {
    RocksLog::Options options;
    auto log = RocksLog::open(dir(), options);
    ASSERT_TRUE(log.ok());
    const auto head = (*log)->head();
    Entry entry;
    entry.kind = eventstore::EntryKind::kGeneration;
    entry.generation = 1;
    entry.entry_no = head.entry_count;
    entry.base_position = head.next_position;
    entry.first_recorded_at = entry.last_recorded_at = head.last_recorded_at;
    entry.prev_chain = head.chain;
    ASSERT_EQ((*log)->append(entry), eventstore::AppendOutcome::kCommitted);
  }
  make_ledger(dir(), clock_, 20, 5);
  const auto view = inspect_event(dir(), next);
  ASSERT_TRUE(view.ok()) << view.status().message();
  EXPECT_EQ(view->position, next);
  EXPECT_EQ(view->generation, 1u);
}

TEST_F(InspectTest, what_is_beyond_the_end_is_not_found) {
  EXPECT_EQ(inspect_entry(dir(), 1'000'000).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(inspect_event(dir(), 1'000'000).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(inspect_stats(temp_.file("absent")).status().code(), StatusCode::kNotFound);
}

TEST_F(InspectTest, the_statistics_add_up) {
  const auto stats = inspect_stats(dir());
  ASSERT_TRUE(stats.ok());
  std::uint64_t events = 0;
  for (const auto& [name, type] : stats->types) events += type.events;
  EXPECT_EQ(events, stats->head.next_position);
  EXPECT_EQ(stats->head, stats->watermark);
  EXPECT_EQ(stats->checkpoints.size(), projections::kTableCount);
  for (const auto& [name, checkpoint] : stats->checkpoints) {
    ASSERT_TRUE(checkpoint.has_value()) << name;
    EXPECT_EQ(checkpoint->next_position, events);
  }
  EXPECT_NE(to_json(*stats).find("\"stored_bytes_per_event\""), std::string::npos);
  EXPECT_NE(to_text(*stats).find("bytes per event"), std::string::npos);
}

}  // namespace
}  // namespace daybook::replay
