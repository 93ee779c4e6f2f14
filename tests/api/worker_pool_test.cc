#include "api/worker_pool.h"

#include <future>
#include <string>

#include <gtest/gtest.h>

namespace daybook::api {
namespace {

TEST(WorkerPoolTest, parts_of_answers_are_not_refused_and_take_turns_with_the_queue) {
  WorkerPool pool(1, 2);
  std::promise<void> begun;
  std::promise<void> go_on;
  std::string order;
  ASSERT_TRUE(pool.post([&] {
    begun.set_value();
    go_on.get_future().wait();
  }));
  begun.get_future().wait();
  EXPECT_TRUE(pool.post([&] { order += 'q'; }));
  EXPECT_TRUE(pool.post([&] { order += 'q'; }));
  EXPECT_FALSE(pool.post([&] { order += '!'; }));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(pool.post_part([&] { order += 'p'; }));
  go_on.set_value();
  pool.stop();
  EXPECT_EQ(order, "pqpqpp");
  EXPECT_FALSE(pool.post_part([] {}));
}

}  // namespace
}  // namespace daybook::api
