#include "eventstore/recent_positions.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace daybook::eventstore {
namespace {

TEST(RecentPositionsTest, it_agrees_with_a_list_of_all_positions) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    RecentPositions recent;
    std::vector<std::uint64_t> all;               // position of each version since `loaded`
    const std::uint64_t loaded = random() % 100;  // the version that was there before
    std::uint64_t next = 1'000;
    std::uint64_t dropped = 0;
    for (int step = 0; step < 300; ++step) {
      next += 1 + random() % 5;
      recent.add(next);
      all.push_back(next);
      if (random() % 10 == 0) {
        dropped = std::max(dropped, next - random() % 200);
        recent.drop_before(dropped);
      }
      const std::uint64_t newest = loaded + all.size();
      const std::uint64_t version = random() % (newest + 3);
      const auto found = recent.find(version, newest);
      if (version <= loaded || version > newest) {
        EXPECT_EQ(found, std::nullopt);
      } else if (const std::uint64_t position = all[version - loaded - 1]; position >= dropped) {
        EXPECT_EQ(found, position);
      } else {
        // What was let go may be there still.
        EXPECT_EQ(found.value_or(position), position);
      }
    }
  }
}

TEST(RecentPositionsTest, what_is_let_go_takes_no_room) {
  RecentPositions recent;
  for (std::uint64_t position = 0; position < 100'000; ++position) recent.add(position);
  EXPECT_GE(recent.bytes(), 800'000U);
  recent.drop_before(99'990);
  EXPECT_LT(recent.bytes(), 1'000U);
  EXPECT_EQ(recent.find(100'000, 100'000), 99'999U);
}

}  // namespace
}  // namespace daybook::eventstore
