#include "eventstore/recorded_clock.h"

#include <cerrno>

#include <gtest/gtest.h>
#include <unistd.h>

#include "eventstore/fake_log.h"
#include "eventstore/rocks_log.h"
#include "eventstore/rocks_log_testing.h"
#include "tests/eventstore/entries.h"
#include "tests/eventstore/temp_dir.h"
#include "tests/support/controls.h"

namespace daybook::eventstore {
namespace {

using test::morning;

class HandClock final : public Clock {
 public:
  Instant now() const override { return time; }
  Instant time = morning();
};

RocksLog::Options options() {
  RocksLog::Options options;
  options.create_if_missing = true;
  options.ledger_id = "clock";
  return options;
}

TEST(RecordedClockTest, nothing_is_recorded_at_or_before_a_closed_moment) {
  HandClock clock;
  FakeLog log;
  RecordedClock recorded(clock, log);
  EXPECT_EQ(recorded.begin(), morning());
  recorded.end(7);
  const auto end = recorded.close(morning(5));
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(*end, 7U);
  EXPECT_EQ(recorded.begin(), (Instant{morning(5).micros + 1}));
  recorded.end(8);
  clock.time = morning(6);
  EXPECT_EQ(recorded.begin(), morning(6));
  recorded.end(9);
  // A wall clock that goes back takes nothing back.
  clock.time = morning(-60);
  EXPECT_EQ(recorded.begin(), morning(6));
}

TEST(RecordedClockTest,
     a_closed_moment_stays_closed_when_the_process_starts_with_its_clock_behind) {
  const TempDir dir;
  HandClock clock;
  {
    const auto log = RocksLog::open(dir.path(), options());
    ASSERT_TRUE(log.ok());
    RecordedClock recorded(clock, **log);
    ASSERT_TRUE(recorded.close(morning()).ok());
  }
  clock.time = morning(-3'600);
  const auto log = RocksLog::open(dir.path(), options());
  ASSERT_TRUE(log.ok());
  EXPECT_EQ((*log)->closed(), morning());
  RecordedClock recorded(clock, **log);
  EXPECT_GT(recorded.begin(), morning());
}

TEST(RecordedClockTest, a_new_process_begins_behind_the_last_event) {
  HandClock clock;
  FakeLog log;
  Entry entry = next_entry(log.head(), 1);
  entry.first_recorded_at = entry.last_recorded_at = morning(10);
  ASSERT_EQ(log.append(entry), AppendOutcome::kCommitted);
  RecordedClock recorded(clock, log);
  // A read as of that event's own time was final in the process before.
  EXPECT_GT(recorded.begin(), morning(10));
}

TEST(RecordedClockTest, a_moment_that_cannot_be_closed_durably_is_not_answered_for) {
  const TempDir dir;
  int syncs_left = -1;
  RocksLogHooks hooks;
  hooks.sync_watermark = [&](int descriptor) {
    if (syncs_left == 0) {
      errno = EIO;
      return -1;
    }
    if (syncs_left > 0) --syncs_left;
    return ::fdatasync(descriptor);
  };
  const auto log = open_rocks_log_for_test(dir.path(), options(), hooks);
  ASSERT_TRUE(log.ok());
  Entry entry = next_entry((*log)->head(), 1);
  entry.first_recorded_at = entry.last_recorded_at = morning();
  ASSERT_EQ((*log)->append(entry), AppendOutcome::kCommitted);
  HandClock clock;
  clock.time = morning(10);
  RecordedClock recorded(clock, **log);
  syncs_left = 0;
  // What the log itself proves needs no write.
  EXPECT_TRUE(recorded.close(morning()).ok());
  EXPECT_EQ(recorded.close(morning(1)).status().code(), StatusCode::kIo);
  // A failed sync ends the right to acknowledge anything.
  syncs_left = -1;
  EXPECT_EQ(recorded.close(morning(2)).status().code(), StatusCode::kIo);
  EXPECT_EQ((*log)->append(next_entry((*log)->head(), 1)), AppendOutcome::kUnknown);
}

TEST(RecordedClockTest, a_moment_is_synced_once_and_not_again_by_those_that_it_covers) {
  const TempDir dir;
  int syncs = 0;
  RocksLogHooks hooks;
  hooks.sync_watermark = [&](int descriptor) {
    ++syncs;
    return ::fdatasync(descriptor);
  };
  const auto log = open_rocks_log_for_test(dir.path(), options(), hooks);
  ASSERT_TRUE(log.ok());
  HandClock clock;
  RecordedClock recorded(clock, **log);
  syncs = 0;
  ASSERT_TRUE(recorded.close(morning(5)).ok());
  EXPECT_EQ(syncs, 1);
  for (const int second : {5, 4, -100}) ASSERT_TRUE(recorded.close(morning(second)).ok());
  EXPECT_EQ(syncs, 1);
}

}  // namespace
}  // namespace daybook::eventstore
