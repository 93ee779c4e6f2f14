#include "eventstore/event_log.h"

#include <vector>

#include <gtest/gtest.h>

#include "eventstore/fake_log.h"
#include "tests/eventstore/entries.h"

namespace daybook::eventstore {
namespace {

LogHead some_head() {
  LogHead head;
  for (const std::uint32_t count : {3U, 2U}) {
    const Entry entry = next_entry(head, count);
    head = head_after(entry, chain_of(entry));
  }
  return head;
}

TEST(EventLogTest, an_entry_continues_the_head_only_in_every_field) {
  const LogHead head = some_head();
  EXPECT_TRUE(check_continues(head, next_entry(head, 1)).ok());
  const auto status_of = [&head](auto change) {
    Entry entry = next_entry(head, 1);
    change(entry);
    return check_continues(head, entry).message();
  };
  EXPECT_EQ(status_of([](Entry& e) { ++e.entry_no; }), "entry 3: entry_no: expected 2, found 3");
  EXPECT_EQ(status_of([](Entry& e) { --e.base_position; }),
            "entry 2: base_position: expected 5, found 4");
  EXPECT_NE(status_of([](Entry& e) { e.prev_chain[0] ^= 1; }).find("prev_chain"),
            std::string::npos);
  EXPECT_NE(status_of([](Entry& e) { e.first_recorded_at.micros = 0; }).find("recorded_at"),
            std::string::npos);
  EXPECT_NE(status_of([](Entry& e) { e.generation = 1; }).find("generation"), std::string::npos);
}

TEST(EventLogTest, the_same_moment_again_is_in_order) {
  const LogHead head = some_head();
  Entry entry = next_entry(head, 1);
  entry.first_recorded_at = head.last_recorded_at;
  EXPECT_TRUE(check_continues(head, entry).ok());
}

TEST(EventLogTest, only_a_generation_entry_raises_the_generation_and_nothing_lowers_it) {
  LogHead head = some_head();
  head.generation = 2;
  Entry entry = next_entry(head, 0);
  entry.generation = 3;
  EXPECT_FALSE(check_continues(head, entry).ok());
  entry.kind = EntryKind::kGeneration;
  EXPECT_TRUE(check_continues(head, entry).ok());
  entry.generation = 1;
  EXPECT_FALSE(check_continues(head, entry).ok());
  Entry first = next_entry(LogHead(), 1);
  first.generation = 7;
  EXPECT_TRUE(check_continues(LogHead(), first).ok()) << "a log may begin under any generation";
}

TEST(FakeLogTest, an_unknown_append_is_there_as_a_whole_or_not_at_all_after_a_crash) {
  for (const auto fault : {FakeLog::Fault::kLoseEntry, FakeLog::Fault::kKeepEntry}) {
    FakeLog log;
    append_all(log, {2, 2});
    log.script(1, fault);
    append_all(log, {2});
    const LogHead before = log.head();
    const Entry lost = next_entry(before, 5);
    EXPECT_EQ(log.append(lost), AppendOutcome::kUnknown);
    EXPECT_EQ(log.head(), before) << "not visible before it is known";
    EXPECT_EQ(read_all(log).size(), 3U);
    EXPECT_EQ(log.append(lost), AppendOutcome::kUnknown) << "and nothing after it is taken";

    log.crash();
    const bool kept = fault == FakeLog::Fault::kKeepEntry;
    EXPECT_EQ(log.head(), kept ? head_after(lost, chain_of(lost)) : before);
    append_all(log, {1});
    EXPECT_EQ(read_all(log).size(), kept ? 5U : 4U);
  }
}

TEST(FakeLogTest, a_fenced_log_stays_fenced) {
  FakeLog log;
  log.script(0, FakeLog::Fault::kFenceEntry);
  EXPECT_EQ(log.append(next_entry(log.head(), 1)), AppendOutcome::kFenced);
  EXPECT_EQ(log.append(next_entry(log.head(), 1)), AppendOutcome::kFenced);
  EXPECT_EQ(log.head(), LogHead());
}

TEST(FakeLogTest, one_seed_gives_one_history_and_acknowledged_entries_survive_it) {
  const auto history = [](std::uint64_t seed) {
    FakeLog log(seed, 200);
    std::vector<AppendOutcome> outcomes;
    std::uint64_t committed = 0;
    for (int i = 0; i < 200; ++i) {
      const Entry entry = next_entry(log.head(), 1);
      outcomes.push_back(log.append(entry));
      if (outcomes.back() == AppendOutcome::kCommitted) {
        ++committed;
      } else {
        log.crash();
        if (log.head().entry_count > entry.entry_no) ++committed;
      }
      EXPECT_EQ(log.head().entry_count, committed);
    }
    EXPECT_EQ(read_all(log).size(), committed);
    return outcomes;
  };
  EXPECT_EQ(history(1), history(1));
  EXPECT_NE(history(1), history(2));
}

}  // namespace
}  // namespace daybook::eventstore
