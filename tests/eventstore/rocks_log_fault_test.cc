// RocksLog on disks that fail and in processes that are killed.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "eventstore/rocks_log.h"
#include "eventstore/rocks_log_testing.h"
#include "tests/eventstore/entries.h"
#include "tests/eventstore/failing_disk.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::eventstore {
namespace {

Result<std::unique_ptr<RocksLog>> open_log(const std::string& dir,
                                           const RocksLogHooks& hooks = {}) {
  RocksLog::Options options;
  options.create_if_missing = true;
  options.ledger_id = "ledger-1";
  return open_rocks_log_for_test(dir, options, hooks);
}

/// The log answered kUnknown to `lost`: it must stay closed, show only `acknowledged`, and have all
/// of it after opening again, with `lost` there as a whole or not at all.
void expect_poisoned(std::unique_ptr<RocksLog> log, const std::string& dir,
                     const std::vector<Entry>& acknowledged, const Entry& lost) {
  EXPECT_FALSE(log->failure().ok());
  EXPECT_EQ(log->head().entry_count, acknowledged.size());
  EXPECT_EQ(read_all(*log), acknowledged) << "what is not known is not shown";
  EXPECT_EQ(log->append(lost), AppendOutcome::kUnknown) << "a disk that failed once is not trusted";
  log.reset();

  const auto again = open_log(dir);
  ASSERT_TRUE(again.ok()) << again.status().message();
  std::vector<Entry> found = read_all(**again);
  if (found.size() > acknowledged.size()) {
    EXPECT_EQ(found.back(), lost);
    found.pop_back();
  }
  EXPECT_EQ(found, acknowledged);
  append_all(**again, {1});
}

// A writer deletes a write-ahead log that is in its tables, between a reader's listing and opening.
TEST(RocksLogFaultTest, a_file_that_goes_away_beside_a_reader_is_not_taken_for_a_torn_tail) {
  const TempDir dir;
  auto writer = open_log(dir.path());
  const std::vector<Entry> entries = append_all(**writer, {3, 4});
  Disk disk;
  disk.faults.wal_reads_left = 0;
  RocksLog::Options options;
  options.read_only = true;
  const auto reader = open_rocks_log_for_test(dir.path(), options, {disk.env.get(), {}});
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_EQ(disk.faults.wal_reads_left, -1) << "nothing went away";
  EXPECT_EQ(read_all(**reader), entries);
  EXPECT_FALSE((*reader)->had_torn_tail());
  EXPECT_TRUE((*reader)->findings().empty());
}

TEST(RocksLogFaultTest, a_failed_sync_of_the_write_ahead_log_poisons_the_log) {
  for (int good = 0; good < 4; ++good) {
    const TempDir dir;
    Disk disk;
    auto log = open_log(dir.path(), {disk.env.get(), {}});
    ASSERT_TRUE(log.ok()) << log.status().message();
    disk.faults.wal_syncs_left = good;
    const auto entries = append_all(**log, std::vector<std::uint32_t>(std::size_t(good), 3));
    const Entry lost = next_entry((*log)->head(), 2);
    ASSERT_EQ((*log)->append(lost), AppendOutcome::kUnknown);
    expect_poisoned(std::move(*log), dir.path(), entries, lost);
  }
}

TEST(RocksLogFaultTest, a_failed_write_of_the_write_ahead_log_poisons_the_log) {
  const TempDir dir;
  Disk disk;
  auto log = open_log(dir.path(), {disk.env.get(), {}});
  const auto entries = append_all(**log, {3, 0, 3});
  disk.faults.wal_appends_left = 0;
  const Entry lost = next_entry((*log)->head(), 2);
  ASSERT_EQ((*log)->append(lost), AppendOutcome::kUnknown);
  expect_poisoned(std::move(*log), dir.path(), entries, lost);
}

TEST(RocksLogFaultTest, a_failed_sync_of_the_watermark_poisons_the_log_though_the_entry_is_kept) {
  const TempDir dir;
  int syncs = 0;
  auto log = open_log(dir.path(), {nullptr, [&syncs](int descriptor) {
                                     errno = EIO;
                                     return ++syncs == 3 ? -1 : ::fdatasync(descriptor);
                                   }});
  syncs = 0;  // The opening's.
  const auto entries = append_all(**log, {3, 3});
  const Entry lost = next_entry((*log)->head(), 2);
  ASSERT_EQ((*log)->append(lost), AppendOutcome::kUnknown);
  expect_poisoned(std::move(*log), dir.path(), entries, lost);
  EXPECT_EQ(syncs, 3);
  EXPECT_EQ(read_all(**open_log(dir.path())).size(), 4U) << "the entry itself was synced";
}

TEST(RocksLogFaultTest, a_watermark_whose_sync_failed_is_written_anew_by_the_next_opening) {
  const TempDir dir;
  bool fails = false;
  int syncs = 0;
  const RocksLogHooks hooks{nullptr, [&](int descriptor) {
                              ++syncs;
                              errno = EIO;
                              return fails ? -1 : ::fdatasync(descriptor);
                            }};
  {
    auto log = open_log(dir.path(), hooks);
    ASSERT_TRUE(log.ok()) << log.status().message();
    fails = true;
    ASSERT_EQ((*log)->append(next_entry((*log)->head(), 2)), AppendOutcome::kUnknown);
  }
  // The kernel now calls the slot clean: it is read back, and is on no disk.
  fails = false;
  syncs = 0;
  const auto again = open_log(dir.path(), hooks);
  ASSERT_TRUE(again.ok()) << again.status().message();
  ASSERT_EQ((*again)->head().entry_count, 1U) << "the entry counts as acknowledged from here on";
  EXPECT_GE(syncs, 1) << "nothing says so on the disk";
}

TEST(RocksLogFaultTest, a_moment_whose_sync_failed_is_not_closed_by_opening_again) {
  const TempDir dir;
  bool fails = false;
  int syncs = 0;
  const RocksLogHooks hooks{nullptr, [&](int descriptor) {
                              ++syncs;
                              errno = EIO;
                              return fails ? -1 : ::fdatasync(descriptor);
                            }};
  const Instant moment{1'800'000'000'000'000};
  {
    auto log = open_log(dir.path(), hooks);
    ASSERT_TRUE(log.ok()) << log.status().message();
    fails = true;
    ASSERT_FALSE((*log)->close(moment).ok());
  }
  EXPECT_EQ(open_log(dir.path(), hooks).status().code(), StatusCode::kIo) << "it still fails";
  fails = false;
  syncs = 0;
  const auto again = open_log(dir.path(), hooks);
  ASSERT_TRUE(again.ok()) << again.status().message();
  ASSERT_TRUE((*again)->close(moment).ok());
  EXPECT_GE(syncs, 1) << "a read as of that moment would now be answered for ever, on no disk";
}

TEST(RocksLogFaultTest, an_error_in_a_background_job_poisons_the_log) {
  const TempDir dir;
  Disk disk;
  auto log = open_log(dir.path(), {disk.env.get(), {}});
  disk.faults.tables_fail = true;
  std::vector<Entry> entries;
  Entry lost;
  for (int i = 0; i < 400; ++i) {
    lost = next_entry((*log)->head(), 30, 15'000);
    const AppendOutcome outcome = (*log)->append(lost);
    if (outcome == AppendOutcome::kUnknown) break;
    ASSERT_EQ(outcome, AppendOutcome::kCommitted);
    entries.push_back(lost);
  }
  ASSERT_LT(entries.size(), 400U) << "the failing flush went unnoticed";
  ASSERT_GT(entries.size(), 10U);
  disk.faults.tables_fail = false;
  expect_poisoned(std::move(*log), dir.path(), entries, lost);
}

/// Creates or opens the log, appends and notes what was acknowledged, until another thread kills
/// the process: `after` the start, or after the log was opened.
[[noreturn]] void append_until_killed(const std::string& dir, std::chrono::microseconds after,
                                      bool from_start) {
  std::atomic<bool> armed{from_start};
  std::thread killer([&armed, after] {
    while (!armed) std::this_thread::yield();
    std::this_thread::sleep_for(after);
    ::kill(::getpid(), SIGKILL);
  });
  auto log = open_log(dir);
  CHECK(log.ok());
  std::ofstream notes(dir + "/acknowledged", std::ios::trunc);
  armed = true;
  for (;;) {
    append_all(**log, {1, 0, 200});
    notes << (*log)->head().entry_count << std::endl;
  }
}

class RocksLogKillDeathTest : public ::testing::TestWithParam<int> {};

TEST_P(RocksLogKillDeathTest, what_was_acknowledged_before_a_kill_is_there_after_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const SharedTempDir dir;
  for (const bool from_start : {true, false}) {
    const std::string path = dir.file(from_start ? "created" : "served");
    const std::chrono::microseconds after(2'000 + 5'300 * GetParam());
    EXPECT_EXIT(append_until_killed(path, after, from_start), ::testing::KilledBySignal(SIGKILL),
                "");
    std::uint64_t acknowledged = 0;
    std::ifstream notes(path + "/acknowledged");
    for (std::uint64_t number = 0; notes >> number;) acknowledged = number;
    const auto log = open_log(path);
    ASSERT_TRUE(log.ok()) << log.status().message();
    EXPECT_GE((*log)->head().entry_count, acknowledged);
    EXPECT_EQ(read_all(**log).size(), (*log)->head().entry_count);
  }
}

INSTANTIATE_TEST_SUITE_P(Moments, RocksLogKillDeathTest, ::testing::Range(0, 12));

}  // namespace
}  // namespace daybook::eventstore
