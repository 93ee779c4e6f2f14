#include "api/log_entries.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace daybook::api {
namespace {

/// An entry of ten events at 10 * number.
LogEntries::EntryPtr entry(std::uint64_t number, std::size_t body_bytes = 100) {
  auto decoded = std::make_shared<eventstore::DecodedEntry>();
  decoded->entry.entry_no = number;
  decoded->entry.base_position = 10 * number;
  decoded->entry.count = 10;
  decoded->entry.body.assign(body_bytes, 'x');
  return decoded;
}

TEST(LogEntriesTest, an_entry_is_found_by_each_of_its_positions) {
  LogEntries entries;
  EXPECT_EQ(entries.find(10), nullptr);
  entries.keep(entry(1));
  entries.keep(entry(3));
  for (std::uint64_t position = 10; position < 20; ++position) {
    ASSERT_NE(entries.find(position), nullptr);
    EXPECT_EQ(entries.find(position)->entry.entry_no, 1U);
  }
  for (const std::uint64_t position : {9U, 20U, 29U, 40U}) {
    EXPECT_EQ(entries.find(position), nullptr) << position;
  }
  const std::size_t bytes = entries.bytes();
  entries.keep(entry(3));
  EXPECT_EQ(entries.bytes(), bytes) << "kept twice";
}

TEST(LogEntriesTest, whoever_was_used_least_goes_first) {
  LogEntries entries;
  for (std::uint64_t i = 0; i < LogEntries::kEntriesMax; ++i) entries.keep(entry(i));
  ASSERT_NE(entries.find(0), nullptr);
  entries.keep(entry(1'000));
  EXPECT_NE(entries.find(0), nullptr);
  EXPECT_EQ(entries.find(10), nullptr);
  EXPECT_NE(entries.find(20), nullptr);
  EXPECT_NE(entries.find(10'000), nullptr);
}

TEST(LogEntriesTest, it_holds_so_many_bytes_and_what_is_let_go_lives_with_its_user) {
  LogEntries entries(10'000);
  entries.keep(entry(1, 2'000));
  const LogEntries::EntryPtr used = entries.find(10);
  for (std::uint64_t i = 2; i < 20; ++i) {
    entries.keep(entry(i, 2'000));
    EXPECT_LE(entries.bytes(), 10'000U);
    EXPECT_NE(entries.find(10 * i), nullptr);
  }
  EXPECT_EQ(entries.find(10), nullptr);
  EXPECT_EQ(used->entry.body.size(), 2'000U);
  entries.keep(entry(30, 20'000));
  EXPECT_EQ(entries.bytes(), 0U) << "larger than all that may be kept";
}

}  // namespace
}  // namespace daybook::api
