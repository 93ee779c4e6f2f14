#include "eventstore/waiting_room.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace daybook::eventstore {
namespace {

/// Commands are numbers here: their order of arrival.
class WaitingRoomTest : public ::testing::Test {
 protected:
  static PreparedCommand command(std::uint64_t arrival, std::uint64_t look_again_at = 0) {
    PreparedCommand made;
    made.arrival = arrival;
    made.look_again_at = look_again_at;
    return made;
  }
  /// Everybody whose turn it is, as long as none is sent back.
  std::vector<std::uint64_t> all_ready() {
    std::vector<std::uint64_t> arrivals;
    while (auto next = room_.next()) arrivals.push_back(next->arrival);
    return arrivals;
  }
  using Arrivals = std::vector<std::uint64_t>;
  static Arrivals arrivals_of(const std::vector<PreparedCommand>& commands) {
    Arrivals arrivals;
    for (const auto& item : commands) arrivals.push_back(item.arrival);
    return arrivals;
  }

  WaitingRoom room_;
};

TEST_F(WaitingRoomTest, a_line_is_released_when_the_index_is_where_its_first_needs_it) {
  room_.park("a", command(1, 100));
  room_.park("b", command(2, 50));
  EXPECT_TRUE(room_.has("a"));
  EXPECT_FALSE(room_.has("c"));
  EXPECT_TRUE(room_.release(49).empty());
  auto released = room_.release(99);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].stream, "b");
  EXPECT_TRUE(room_.release(99).empty());
  EXPECT_EQ(room_.release(100).size(), 1U);
}

TEST_F(WaitingRoomTest, later_commands_of_a_stream_stay_behind_it_at_every_stage) {
  room_.park("a", command(1, 10));
  room_.join("a", command(2));
  auto released = room_.release(10);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(arrivals_of(released[0].commands), (Arrivals{1, 2}));
  EXPECT_TRUE(room_.has("a"));
  room_.join("a", command(3));  // while they are looked up
  EXPECT_FALSE(room_.has_ready());
  room_.readmit(std::move(released[0]));
  room_.join("a", command(4));  // while they are ready
  EXPECT_EQ(all_ready(), (Arrivals{1, 2, 3, 4}));
  EXPECT_TRUE(room_.empty());
}

TEST_F(WaitingRoomTest, who_is_sent_back_again_keeps_its_place) {
  room_.park("a", command(1, 10));
  room_.join("a", command(2));
  room_.join("a", command(3));
  room_.readmit(std::move(room_.release(10)[0]));
  EXPECT_EQ(room_.next()->arrival, 1U);
  room_.park("a", [&] {
    auto second = std::move(*room_.next());
    second.look_again_at = 20;
    return second;
  }());
  EXPECT_FALSE(room_.next().has_value());
  EXPECT_TRUE(room_.release(19).empty());
  auto released = room_.release(20);
  EXPECT_EQ(arrivals_of(released.at(0).commands), (Arrivals{2, 3}));
  room_.readmit(std::move(released[0]));
  // The last one of a line, too.
  EXPECT_EQ(room_.next()->arrival, 2U);
  auto last = std::move(*room_.next());
  EXPECT_TRUE(room_.empty());
  room_.park("a", std::move(last));
  EXPECT_TRUE(room_.has("a"));
}

TEST_F(WaitingRoomTest, streams_do_not_wait_for_each_other) {
  room_.park("a", command(1, 10));
  room_.park("b", command(2, 99));
  room_.park("c", command(3, 10));
  for (auto& party : room_.release(10)) room_.readmit(std::move(party));
  EXPECT_EQ(all_ready(), (Arrivals{1, 3}));
  EXPECT_TRUE(room_.has("b"));
  EXPECT_TRUE(room_.waits_for_index());
}

TEST_F(WaitingRoomTest, a_line_whose_commands_were_all_answered_meanwhile_is_gone) {
  room_.park("a", command(1, 10));
  auto released = room_.release(10);
  released[0].commands.clear();
  room_.readmit(std::move(released[0]));
  EXPECT_TRUE(room_.empty());
}

TEST_F(WaitingRoomTest, those_who_wait_for_the_index_are_let_go_and_no_others) {
  room_.park("ready", command(1, 1));
  room_.park("away", command(2, 2));
  room_.park("parked", command(3, 3));
  room_.join("parked", command(4));
  room_.readmit(std::move(room_.release(1)[0]));
  auto away = room_.release(2);
  EXPECT_EQ(arrivals_of(room_.clear_waiting_for_index()), (Arrivals{3, 4}));
  EXPECT_FALSE(room_.has("parked"));
  EXPECT_FALSE(room_.waits_for_index());
  room_.readmit(std::move(away[0]));
  EXPECT_EQ(all_ready(), (Arrivals{1, 2}));
}

TEST_F(WaitingRoomTest, all_are_let_go_but_those_who_are_away) {
  room_.park("ready", command(1, 1));
  room_.park("away", command(2, 2));
  room_.park("parked", command(3, 3));
  room_.readmit(std::move(room_.release(1)[0]));
  auto away = room_.release(2);
  room_.join("away", command(4));
  EXPECT_EQ(room_.clear().size(), 3U);
  EXPECT_TRUE(room_.has("away"));
  EXPECT_FALSE(room_.has_ready());
  room_.readmit(std::move(away[0]));
  EXPECT_EQ(arrivals_of(room_.clear()), (Arrivals{2}));
  EXPECT_TRUE(room_.empty());
}

TEST_F(WaitingRoomTest, passing_an_older_command_is_a_bug) {
  room_.park("a", command(5, 10));
  EXPECT_DEATH(room_.join("a", command(4)), "CHECK");
  EXPECT_DEATH(room_.park("a", command(6, 10)), "CHECK");
}

}  // namespace
}  // namespace daybook::eventstore
