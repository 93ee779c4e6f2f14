#include "eventstore/stream_numbers.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/entries_of.h"

namespace daybook::eventstore {
namespace {

using test::account_stream;
using test::entry_of;

TEST(StreamNumbersTest, a_stream_has_one_number_and_no_other_has_it) {
  StreamNumbers numbers;
  const auto tenant = domain::StreamId::of_tenant(TenantId("acme"));
  const auto same_id = domain::StreamId::account(TenantId("acme"), AccountId(tenant.id));
  auto first = entry_of({account_stream("a"), account_stream("b"), tenant, account_stream("a")});
  auto second = entry_of({account_stream("b"), same_id, account_stream("c"), tenant});
  numbers.number(first);
  numbers.number(second);
  EXPECT_EQ(first.numbering, second.numbering);
  EXPECT_EQ(first.numbers[0], first.numbers[3]);
  EXPECT_EQ(first.numbers[1], second.numbers[0]);
  EXPECT_EQ(first.numbers[2], second.numbers[3]);
  const std::set<std::uint32_t> different = {first.numbers[0], first.numbers[1], first.numbers[2],
                                             second.numbers[1], second.numbers[2]};
  EXPECT_EQ(different.size(), 5U);
}

TEST(StreamNumbersTest, beyond_its_bound_and_elsewhere_it_is_another_numbering) {
  StreamNumbers numbers(2);
  StreamNumbers elsewhere(2);
  auto first = entry_of({account_stream("a"), account_stream("b"), account_stream("c")});
  auto second = entry_of({account_stream("c"), account_stream("a")});
  auto third = entry_of({account_stream("c"), account_stream("a")});
  numbers.number(first);
  numbers.number(second);
  elsewhere.number(third);
  EXPECT_NE(first.numbering, second.numbering);
  EXPECT_NE(second.numbering, third.numbering);
  EXPECT_NE(first.numbering, third.numbering);
}

TEST(StreamNumbersTest, streams_for_which_nothing_is_kept_use_none_up) {
  StreamNumbers numbers(2);
  ByStream<std::string> by_stream;
  std::string kept;
  auto entry =
      entry_of({domain::StreamId::payment(TenantId("acme"), "bank", "1"),
                domain::StreamId::payment(TenantId("acme"), "bank", "2"), account_stream("a")});
  auto again = entry_of({account_stream("a")});
  numbers.number(entry);
  numbers.number(again);
  EXPECT_EQ(again.numbering, entry.numbering);
  EXPECT_EQ(again.numbers[0], entry.numbers[2]);
  by_stream.keep(entry, 0, kept);
  EXPECT_EQ(by_stream.find(entry, 0), nullptr);
  EXPECT_EQ(by_stream.find(entry, 1), nullptr);
}

TEST(ByStreamTest, what_is_to_come_is_fetched_and_nothing_else_changes) {
  StreamNumbers numbers;
  ByStream<std::string> by_stream;
  std::vector<std::string> kept(40);
  std::vector<domain::StreamId> streams;
  for (std::size_t i = 0; i < 2 * kept.size(); ++i) {
    streams.push_back(account_stream(std::to_string(i * 7 % kept.size())));
  }
  auto entry = entry_of(streams);
  numbers.number(entry);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    auto* const found = by_stream.find(entry, i);
    EXPECT_EQ(found, i < kept.size() ? nullptr : &kept[i * 7 % kept.size()]);
    if (found == nullptr) by_stream.keep(entry, i, kept[i * 7 % kept.size()]);
  }
}

TEST(ByStreamTest, what_was_kept_is_found_under_the_same_numbering_alone) {
  StreamNumbers numbers(3);
  ByStream<std::string> by_stream;
  std::string of_a = "a";
  std::string of_b = "b";
  auto entry = entry_of({account_stream("a"), account_stream("b"), account_stream("a")});
  numbers.number(entry);
  EXPECT_EQ(by_stream.find(entry, 0), nullptr);
  by_stream.keep(entry, 0, of_a);
  EXPECT_EQ(by_stream.find(entry, 2), &of_a);
  EXPECT_EQ(by_stream.find(entry, 1), nullptr);
  by_stream.keep(entry, 1, of_b);
  EXPECT_EQ(by_stream.find(entry, 1), &of_b);

  auto more = entry_of({account_stream("c"), account_stream("b")});
  numbers.number(more);
  EXPECT_EQ(by_stream.find(more, 1), &of_b);
  auto other = entry_of({account_stream("b"), account_stream("a")});
  numbers.number(other);
  ASSERT_NE(other.numbering, entry.numbering);
  EXPECT_EQ(by_stream.find(other, 0), nullptr) << "it has the number that another one had";
  by_stream.keep(other, 0, of_b);
  EXPECT_EQ(by_stream.find(other, 0), &of_b);
  by_stream.clear();
  EXPECT_EQ(by_stream.find(other, 0), nullptr);
}

TEST(ByStreamTest, without_numbers_nothing_is_kept) {
  ByStream<std::string> by_stream;
  std::string kept;
  const auto entry = entry_of({account_stream("a")});
  by_stream.keep(entry, 0, kept);
  EXPECT_EQ(by_stream.find(entry, 0), nullptr);
}

}  // namespace
}  // namespace daybook::eventstore
