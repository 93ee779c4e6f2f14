#include "eventstore/side_by_side.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace daybook::eventstore {
namespace {

TEST(SideBySideTest, each_job_is_done_once_on_any_number_of_threads) {
  for (const std::size_t threads : {1U, 2U, 3U, 9U}) {
    std::vector<std::atomic<int>> done(5);
    const Failed failed = side_by_side(done.size(), threads, [&](std::size_t job) {
      ++done[job];
      return Status();
    });
    EXPECT_TRUE(failed.status.ok());
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
  EXPECT_TRUE(side_by_side(0, 2, [](std::size_t) { return io_error("not called"); }).status.ok());
}

TEST(SideBySideTest, jobs_run_at_the_same_time) {
  std::atomic<int> arrived{0};
  const Failed failed = side_by_side(2, 2, [&](std::size_t) {
    ++arrived;
    // Each ends only when the other has begun.
    while (arrived < 2) std::this_thread::yield();
    return Status();
  });
  EXPECT_TRUE(failed.status.ok());
}

TEST(SideBySideTest, the_first_job_that_failed_is_told_and_the_others_are_done) {
  for (const std::size_t threads : {1U, 2U}) {
    std::atomic<int> done{0};
    const Failed failed = side_by_side(6, threads, [&](std::size_t job) {
      ++done;
      return job % 2 == 1 ? io_error("job " + std::to_string(job)) : Status();
    });
    EXPECT_EQ(failed.job, 1U);
    EXPECT_EQ(failed.status.message(), "job 1");
    EXPECT_EQ(done, 6);
  }
}

}  // namespace
}  // namespace daybook::eventstore
