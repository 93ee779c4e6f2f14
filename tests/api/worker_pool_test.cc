#include "api/worker_pool.h"

#include <future>
#include <string>
#include <thread>

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
  std::promise<void> last;
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(pool.post_part([&] {
      order += 'p';
      if (order.size() == 6) last.set_value();
    }));
  }
  go_on.set_value();
  last.get_future().wait();
  pool.stop();
  EXPECT_EQ(order, "pqpqpp");
  EXPECT_FALSE(pool.post_part([] {}));
}

TEST(WorkerPoolTest, what_has_not_begun_is_dropped_at_the_end) {
  WorkerPool pool(1, 10);
  std::promise<void> begun;
  std::promise<void> go_on;
  bool ran = false;
  ASSERT_TRUE(pool.post([&] {
    begun.set_value();
    go_on.get_future().wait();
  }));
  begun.get_future().wait();
  ASSERT_TRUE(pool.post([&] { ran = true; }));
  ASSERT_TRUE(pool.post_part([&] { ran = true; }));
  std::thread stopper([&pool] { pool.stop(); });
  while (pool.post_part([] {})) std::this_thread::yield();  // until it is being stopped
  go_on.set_value();
  stopper.join();
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace daybook::api
