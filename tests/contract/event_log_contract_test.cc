// What every kind of EventLog promises (eventstore/event_log.h), run on each of them.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "eventstore/event_log.h"
#include "eventstore/fake_log.h"
#include "eventstore/rocks_log.h"
#include "tests/eventstore/entries.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::eventstore {
namespace {

/// One kind under test, and how it is closed and opened again.
class Kind {
 public:
  virtual ~Kind() = default;
  virtual EventLog& log() = 0;
  virtual void reopen() = 0;
};

class FakeKind final : public Kind {
 public:
  EventLog& log() override { return log_; }
  void reopen() override { log_.crash(); }

 private:
  FakeLog log_;
};

class RocksKind final : public Kind {
 public:
  RocksKind() { reopen(); }
  EventLog& log() override { return *log_; }
  void reopen() override {
    log_.reset();
    RocksLog::Options options;
    options.create_if_missing = true;
    options.ledger_id = "contract";
    auto opened = RocksLog::open(dir_.path(), options);
    CHECK(opened.ok());
    log_ = std::move(*opened);
  }

 private:
  TempDir dir_;
  std::unique_ptr<RocksLog> log_;
};

struct Case {
  const char* name;
  std::function<std::unique_ptr<Kind>()> make;
};

class EventLogContractTest : public ::testing::TestWithParam<Case> {
 protected:
  EventLog& log() { return kind_->log(); }
  void reopen() { kind_->reopen(); }

 private:
  std::unique_ptr<Kind> kind_ = GetParam().make();
};

TEST_P(EventLogContractTest, a_new_log_is_empty) {
  EXPECT_EQ(log().head(), LogHead());
  EXPECT_TRUE(read_all(log()).empty());
}

TEST_P(EventLogContractTest, the_head_follows_every_append) {
  for (const std::uint32_t count : {3U, 0U, 1U, 100U}) {
    const Entry entry = next_entry(log().head(), count);
    ASSERT_EQ(log().append(entry), AppendOutcome::kCommitted);
    EXPECT_EQ(log().head(), head_after(entry, chain_of(entry)));
  }
  EXPECT_EQ(log().head().entry_count, 4U);
  EXPECT_EQ(log().head().next_position, 104U);
}

TEST_P(EventLogContractTest, what_is_closed_stays_closed) {
  EXPECT_EQ(log().closed(), Instant());
  ASSERT_TRUE(log().close({1'000}).ok());
  EXPECT_EQ(log().closed(), (Instant{1'000}));
  ASSERT_TRUE(log().close({500}).ok());
  EXPECT_EQ(log().closed(), (Instant{1'000}));
  reopen();
  EXPECT_EQ(log().closed(), (Instant{1'000}));
  // An event closes its own moment.
  Entry entry = next_entry(log().head(), 1);
  entry.first_recorded_at = {1'500};
  entry.last_recorded_at = {2'000};
  ASSERT_EQ(log().append(entry), AppendOutcome::kCommitted);
  EXPECT_EQ(log().closed(), (Instant{2'000}));
  ASSERT_TRUE(log().close({3'000}).ok());
  entry = next_entry(log().head(), 1);
  ASSERT_EQ(log().append(entry), AppendOutcome::kCommitted);
  reopen();
  EXPECT_EQ(log().closed(), (Instant{3'000})) << "an append forgets what was closed";
  EXPECT_EQ(log().head().entry_count, 2U);
}

TEST_P(EventLogContractTest, entries_are_read_as_they_were_appended) {
  const std::vector<Entry> entries = append_all(log(), {0, 3, 0, 1, 8'192, 0});
  EXPECT_EQ(read_all(log()), entries);
}

TEST_P(EventLogContractTest, reading_starts_at_the_entry_that_holds_the_position) {
  // Positions:                                           0-2  3-4  -  -  5  6-9  -
  const std::vector<Entry> entries = append_all(log(), {3, 2, 0, 0, 1, 4, 0});
  const auto first = [this](std::uint64_t position) {
    const std::vector<Entry> read = read_all(log(), position);
    return read.empty() ? std::uint64_t{99} : read.front().entry_no;
  };
  EXPECT_EQ(first(0), 0U);
  EXPECT_EQ(first(2), 0U);
  EXPECT_EQ(first(3), 1U);
  EXPECT_EQ(first(4), 1U);
  EXPECT_EQ(first(5), 4U) << "entries without events before it are passed over";
  EXPECT_EQ(first(6), 5U);
  EXPECT_EQ(first(9), 5U);
  EXPECT_EQ(first(10), 6U);
  EXPECT_EQ(first(11), 99U);
  EXPECT_EQ(read_all(log(), 4).size(), entries.size() - 1);
}

TEST_P(EventLogContractTest, what_comes_next_includes_entries_without_events) {
  append_all(log(), {3, 0, 0});
  auto cursor = log().read(3);
  EXPECT_EQ((*(*cursor)->next())->entry_no, 1U);
  append_all(log(), {2});
  EXPECT_EQ((*(*cursor)->next())->entry_no, 2U);
  EXPECT_EQ((*(*cursor)->next())->entry_no, 3U);
  EXPECT_EQ(read_all(log(), 3).front().entry_no, 3U) << "now there is an entry that holds it";
}

TEST_P(EventLogContractTest, every_event_is_found_at_its_position_whatever_comes_before_it) {
  // Positions:                                           -  -  0-2  -  -  3  4-5  -
  const std::vector<Entry> entries = append_all(log(), {0, 0, 3, 0, 0, 1, 2, 0});
  const auto number_at = [this](std::uint64_t position) {
    const auto entry = entry_at(log(), position);
    EXPECT_TRUE(entry.ok());
    return entry->has_value() ? (*entry)->entry_no : std::uint64_t{99};
  };
  EXPECT_EQ(number_at(0), 2U);
  EXPECT_EQ(number_at(2), 2U);
  EXPECT_EQ(number_at(3), 5U);
  EXPECT_EQ(number_at(4), 6U);
  EXPECT_EQ(number_at(5), 6U);
  EXPECT_EQ(number_at(6), 99U);
  EXPECT_EQ(number_at(UINT64_MAX), 99U);
  EXPECT_EQ(read_all(log(), 0), entries);
  EXPECT_EQ(read_all(log(), UINT64_MAX), std::vector<Entry>());
}

TEST_P(EventLogContractTest, a_cursor_at_the_end_goes_on_with_later_appends) {
  append_all(log(), {2, 2});
  auto cursor = log().read(3);
  ASSERT_TRUE(cursor.ok());
  EXPECT_EQ((*(*cursor)->next())->entry_no, 1U);
  for (std::uint64_t number = 2; number < 6; ++number) {
    EXPECT_FALSE((*cursor)->next()->has_value());
    EXPECT_FALSE((*cursor)->next()->has_value());
    append_all(log(), {number % 2 == 0 ? 0U : 5U});
    EXPECT_EQ((*(*cursor)->next())->entry_no, number);
  }
}

TEST_P(EventLogContractTest, a_cursor_sees_what_is_appended_while_it_is_halfway) {
  append_all(log(), {1, 1, 1});
  auto cursor = log().read(0);
  EXPECT_EQ((*(*cursor)->next())->entry_no, 0U);
  append_all(log(), {1, 1});
  for (std::uint64_t number = 1; number < 5; ++number) {
    const auto entry = (*cursor)->next();
    ASSERT_TRUE(entry.ok() && entry->has_value());
    EXPECT_EQ((*entry)->entry_no, number);
  }
  EXPECT_FALSE((*cursor)->next()->has_value());
}

TEST_P(EventLogContractTest,
       a_cursor_ahead_of_the_log_waits_for_the_entry_that_holds_its_position) {
  auto cursor = log().read(7);
  EXPECT_FALSE((*cursor)->next()->has_value());
  append_all(log(), {5});
  EXPECT_FALSE((*cursor)->next()->has_value());
  append_all(log(), {5});
  const auto entry = (*cursor)->next();
  ASSERT_TRUE(entry->has_value());
  EXPECT_EQ((*entry)->base_position, 5U);
}

TEST_P(EventLogContractTest, all_that_was_committed_is_there_after_opening_again) {
  std::vector<Entry> entries;
  for (int round = 0; round < 4; ++round) {
    for (Entry& entry : append_all(log(), {3, 0, 7})) entries.push_back(std::move(entry));
    const LogHead head = log().head();
    reopen();
    ASSERT_EQ(log().head(), head);
    ASSERT_EQ(read_all(log()), entries);
  }
}

TEST_P(EventLogContractTest, a_generation_entry_raises_the_generation) {
  append_all(log(), {3});
  Entry restored = next_entry(log().head(), 0);
  restored.kind = EntryKind::kGeneration;
  restored.generation = 4;
  ASSERT_EQ(log().append(restored), AppendOutcome::kCommitted);
  append_all(log(), {2});
  reopen();
  EXPECT_EQ(log().head().generation, 4U);
  EXPECT_EQ(read_all(log()).size(), 3U);
}

TEST_P(EventLogContractTest, a_reader_in_another_thread_sees_every_entry_once_and_in_order) {
  constexpr std::uint64_t kEntries = 200;
  std::atomic<bool> wrong{false};
  std::thread reader([this, &wrong] {
    auto cursor = log().read(0);
    for (std::uint64_t seen = 0; seen < kEntries;) {
      const auto entry = (*cursor)->next();
      if (!entry.ok() || (entry->has_value() && (*entry)->entry_no != seen)) {
        wrong = true;
        return;
      }
      if (!entry->has_value()) continue;
      if (log().head().entry_count <= seen) wrong = true;
      ++seen;
    }
  });
  for (std::uint64_t i = 0; i < kEntries; ++i) append_all(log(), {2});
  reader.join();
  EXPECT_FALSE(wrong);
}

using EventLogContractDeathTest = EventLogContractTest;

TEST_P(EventLogContractDeathTest, appending_what_does_not_continue_the_log_is_a_bug) {
  // By fork: the child stops at once, and a program run anew would leave its directory behind.
  GTEST_FLAG_SET(death_test_style, "fast");
  append_all(log(), {2});
  Entry gap = next_entry(log().head(), 1);
  ++gap.base_position;
  EXPECT_DEATH(log().append(gap), "check_continues");
  Entry fork = next_entry(log().head(), 1);
  fork.prev_chain[0] ^= 1;
  EXPECT_DEATH(log().append(fork), "check_continues");
}

const auto kKinds = ::testing::Values(Case{"fake", [] { return std::make_unique<FakeKind>(); }},
                                      Case{"rocks", [] { return std::make_unique<RocksKind>(); }});
const auto kNameOf = [](const auto& kind) { return std::string(kind.param.name); };
INSTANTIATE_TEST_SUITE_P(Kinds, EventLogContractTest, kKinds, kNameOf);
INSTANTIATE_TEST_SUITE_P(Kinds, EventLogContractDeathTest, kKinds, kNameOf);

}  // namespace
}  // namespace daybook::eventstore
