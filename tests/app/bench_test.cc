#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/bench_load.h"

namespace daybook::app {
namespace {

std::vector<std::size_t> drawn(BenchAccounts distribution, std::size_t accounts, int draws) {
  AccountPicker picker(distribution, accounts);
  std::vector<std::size_t> counts(accounts);
  for (int i = 0; i < draws; ++i) ++counts.at(picker.next());
  return counts;
}

TEST(BenchLoadTest, names_are_read_as_they_are_written) {
  for (const auto value : {BenchAccounts::kUniform, BenchAccounts::kZipf, BenchAccounts::kHot}) {
    EXPECT_EQ(parse_bench_accounts(to_text(value)), value);
  }
  for (const auto value : {BenchKeys::kOrdered, BenchKeys::kRandom}) {
    EXPECT_EQ(parse_bench_keys(to_text(value)), value);
  }
  EXPECT_EQ(parse_bench_accounts("Uniform"), std::nullopt);
  EXPECT_EQ(parse_bench_keys(""), std::nullopt);
}

TEST(BenchLoadTest, uniform_accounts_come_equally_often) {
  for (const std::size_t count : drawn(BenchAccounts::kUniform, 10, 100'000)) {
    EXPECT_NEAR(static_cast<double>(count), 10'000, 500);
  }
}

TEST(BenchLoadTest, a_hot_account_takes_all) {
  EXPECT_THAT(drawn(BenchAccounts::kHot, 3, 100), testing::ElementsAre(100, 0, 0));
}

TEST(BenchLoadTest, zipf_accounts_come_by_their_rank) {
  // Of 1,000 accounts at theta 0.99 the first has 1 / 7.73 of the draws, the second 2^-0.99 of
  // that.
  const auto counts = drawn(BenchAccounts::kZipf, 1'000, 1'000'000);
  EXPECT_NEAR(static_cast<double>(counts[0]), 129'400, 3'000);
  EXPECT_NEAR(static_cast<double>(counts[1]) / static_cast<double>(counts[0]), 0.503, 0.03);
  EXPECT_NEAR(static_cast<double>(counts[99]) / static_cast<double>(counts[0]), 0.0105, 0.003);
  EXPECT_GT(counts[999], 0U);
  EXPECT_THAT(drawn(BenchAccounts::kZipf, 1, 10), testing::ElementsAre(10));
}

TEST(BenchLoadTest, no_key_comes_twice) {
  for (const auto keys : {BenchKeys::kOrdered, BenchKeys::kRandom}) {
    std::set<std::string> seen;
    for (std::uint64_t position = 0; position < 100; ++position) {
      for (std::uint64_t number = 0; number < 100; ++number) {
        EXPECT_TRUE(seen.insert(bench_key(keys, position, number)).second);
      }
    }
  }
}

TEST(BenchLoadTest, random_keys_have_no_order_and_one_length) {
  int ascents = 0;
  for (std::uint64_t number = 0; number < 1'000; ++number) {
    const std::string key = bench_key(BenchKeys::kRandom, 7, number);
    EXPECT_EQ(key.size(), 16U);
    ascents += key < bench_key(BenchKeys::kRandom, 7, number + 1) ? 1 : 0;
  }
  EXPECT_NEAR(ascents, 500, 75);
}

}  // namespace
}  // namespace daybook::app
