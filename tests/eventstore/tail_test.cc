#include "eventstore/tail.h"

#include <gtest/gtest.h>

#include "eventstore/event_codec.h"
#include "tests/support/controls.h"

namespace daybook::eventstore {
namespace {

using test::account_id;
using test::tenant_id;

LookupKey key(std::string_view text) {
  return lookup_key(LookupKind::kIdempotencyKey,
                    domain::StreamId::account(tenant_id(), account_id()), text);
}

/// A tail with the open entry that it describes.
class TailTest : public ::testing::Test {
 protected:
  void push(std::uint64_t version, const std::vector<LookupKey>& keys = {}) {
    domain::RecordedEvent event;
    event.stream = domain::StreamId::account(tenant_id(), account_id());
    event.version = version;
    event.event = domain::AccountFrozen{};
    const std::size_t offset = open_.body.size();
    append_event_bytes(open_.body, encode_event(event));
    if (open_.count == 0) open_.base_position = tail_.next_position();
    ++open_.count;
    tail_.push(offset, keys);
  }
  void seal() { tail_.seal(std::make_shared<const Entry>(std::exchange(open_, Entry{}))); }
  std::uint64_t version_at(std::uint64_t position) const {
    const auto placed = tail_.event_at(position, open_.body);
    EXPECT_EQ(placed->position, position);
    return placed->event.version;
  }

  Tail tail_{100};
  Entry open_;
};

TEST_F(TailTest, it_begins_empty_at_the_end_of_the_log) {
  EXPECT_EQ(tail_.base_position(), 100U);
  EXPECT_EQ(tail_.next_position(), 100U);
  EXPECT_EQ(tail_.bytes(), 0U);
  EXPECT_EQ(tail_.find(key("a")), std::nullopt);
}

TEST_F(TailTest, events_are_found_in_open_and_in_sealed_entries) {
  push(1, {key("a")});
  push(2);
  EXPECT_EQ(version_at(101), 2U);
  seal();
  push(3, {key("b"), key("c")});
  EXPECT_EQ(version_at(100), 1U);
  EXPECT_EQ(version_at(101), 2U);
  EXPECT_EQ(version_at(102), 3U);
  EXPECT_EQ(tail_.find(key("a")), 100U);
  EXPECT_EQ(tail_.find(key("b")), 102U);
  EXPECT_EQ(tail_.find(key("c")), 102U);
  EXPECT_EQ(tail_.next_position(), 103U);
}

TEST_F(TailTest, the_newest_event_under_a_key_is_found_and_outlives_the_older) {
  push(1, {key("a")});
  seal();
  push(2, {key("a")});
  EXPECT_EQ(tail_.find(key("a")), 101U);
  tail_.drop_before(101);
  EXPECT_EQ(tail_.find(key("a")), 101U);
  EXPECT_EQ(tail_.base_position(), 101U);
}

TEST_F(TailTest, whole_sealed_entries_are_dropped_and_no_others) {
  push(1, {key("a")});
  push(2, {key("b")});
  seal();
  push(3, {key("c")});
  seal();
  push(4, {key("d")});
  const std::size_t both = tail_.bytes();
  tail_.drop_before(101);  // within the first entry
  EXPECT_EQ(tail_.base_position(), 100U);
  EXPECT_EQ(tail_.bytes(), both);
  tail_.drop_before(102);
  EXPECT_EQ(tail_.base_position(), 102U);
  EXPECT_LT(tail_.bytes(), both);
  EXPECT_EQ(tail_.find(key("a")), std::nullopt);
  EXPECT_EQ(tail_.find(key("b")), std::nullopt);
  EXPECT_EQ(tail_.find(key("c")), 102U);
  tail_.drop_before(1'000);  // the open entry stays
  EXPECT_EQ(tail_.base_position(), 103U);
  EXPECT_EQ(tail_.find(key("d")), 103U);
  EXPECT_EQ(version_at(103), 4U);
  EXPECT_LT(tail_.bytes(), 200U);  // its place and its key
}

TEST_F(TailTest, the_oldest_entries_are_dropped_while_there_are_too_many_bytes) {
  for (std::uint64_t version = 1; version <= 4; ++version) {
    push(version, {key(std::to_string(version))});
    seal();
  }
  const std::size_t each = tail_.bytes() / 4;
  tail_.shrink_to(2 * each, 101);  // only the first may go
  EXPECT_EQ(tail_.base_position(), 101U);
  tail_.shrink_to(2 * each, 104);
  EXPECT_EQ(tail_.base_position(), 102U);
  EXPECT_LE(tail_.bytes(), 2 * each);
  EXPECT_EQ(tail_.find(key("2")), std::nullopt);
  EXPECT_EQ(tail_.find(key("3")), 102U);
}

TEST_F(TailTest, positions_outside_the_window_are_a_bug) {
  push(1);
  seal();
  push(2);
  tail_.drop_before(101);
  EXPECT_DEATH(version_at(100), "CHECK");
  EXPECT_DEATH(version_at(102), "CHECK");
}

}  // namespace
}  // namespace daybook::eventstore
