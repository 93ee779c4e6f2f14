#include "eventstore/refusal_limit.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace daybook::eventstore {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

RefusalLimits limits(std::uint32_t burst, std::uint32_t per_second, std::size_t accounts = 1'000) {
  return {burst, per_second, accounts};
}

int take_all(RefusalLimit& limit, const std::string& account, Instant now) {
  int taken = 0;
  while (limit.take(account, now)) ++taken;
  return taken;
}

TEST(RefusalLimitTest, a_bucket_begins_full_and_fills_at_its_rate) {
  RefusalLimit limit(limits(3, 2));
  EXPECT_EQ(take_all(limit, "a", {0}), 3);
  EXPECT_FALSE(limit.take("a", {kSecond / 2 - 1}));
  EXPECT_TRUE(limit.take("a", {kSecond / 2}));
  EXPECT_FALSE(limit.take("a", {kSecond / 2}));
  EXPECT_EQ(take_all(limit, "b", {kSecond / 2}), 3);
  EXPECT_EQ(take_all(limit, "a", {INT64_MAX}), 3);
}

TEST(RefusalLimitTest, while_too_many_accounts_are_remembered_the_others_get_none) {
  RefusalLimit limit(limits(2, 1, 2));
  EXPECT_TRUE(limit.take("a", {0}));
  EXPECT_TRUE(limit.take("b", {0}));
  EXPECT_FALSE(limit.take("c", {0}));
  EXPECT_TRUE(limit.take("a", {0}));
  // Both are forgotten once they had the time to fill, twice over at the latest.
  EXPECT_FALSE(limit.take("c", {2 * kSecond}));
  EXPECT_TRUE(limit.take("c", {4 * kSecond}));
}

TEST(RefusalLimitTest, a_clock_that_goes_back_fills_nothing_and_takes_nothing) {
  RefusalLimit limit(limits(3, 1));
  EXPECT_TRUE(limit.take("a", {100 * kSecond}));
  EXPECT_EQ(take_all(limit, "a", {0}), 2);
  EXPECT_TRUE(limit.take("a", {kSecond}));
  EXPECT_FALSE(limit.take("a", {kSecond}));
}

TEST(RefusalLimitTest, a_bucket_that_never_fills_is_never_forgotten) {
  RefusalLimit limit(limits(1, 0));
  EXPECT_TRUE(limit.take("a", {0}));
  EXPECT_FALSE(limit.take("a", {INT64_MAX - 1}));
}

RC_GTEST_PROP(RefusalLimitTest, over_any_time_an_account_has_at_most_burst_and_rate, ()) {
  const auto burst = *rc::gen::inRange<std::uint32_t>(1, 5);
  const auto rate = *rc::gen::inRange<std::uint32_t>(1, 4);
  RefusalLimit limit(limits(burst, rate, 3));
  std::map<std::string, std::vector<std::int64_t>> taken;
  std::int64_t now = 0;
  for (int i = 0; i < 300; ++i) {
    now += *rc::gen::element<std::int64_t>(0, 1, kSecond / 3, kSecond, 3 * kSecond);
    const std::string account(1, *rc::gen::element('a', 'b', 'c', 'd', 'e'));
    if (!limit.take(account, {now})) continue;
    auto& times = taken[account];
    times.push_back(now);
    for (std::size_t first = 0; first < times.size(); ++first) {
      const auto count = static_cast<std::int64_t>(times.size() - first);
      RC_ASSERT((count - burst) * kSecond <= (now - times[first]) * rate);
    }
  }
}

}  // namespace
}  // namespace daybook::eventstore
