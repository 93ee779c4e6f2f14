#include "api/command_service.h"

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "tests/api/command_rig.h"

namespace daybook::api {
namespace {

class CommandServiceTest : public CommandRig {};

TEST_F(CommandServiceTest, a_private_value_is_never_synced_on_the_thread_of_the_connection) {
  const auto before = private_.writers().size();
  EXPECT_EQ(tag("a name").status, 200);
  const auto writers = private_.writers();
  EXPECT_GT(writers.size(), before);
  for (std::size_t i = before; i < writers.size(); ++i) {
    EXPECT_NE(writers[i], std::this_thread::get_id());
  }
}

TEST_F(CommandServiceTest, the_same_private_value_again_changes_nothing) {
  const auto is_recorded = [](const HttpResponse& response) {
    EXPECT_EQ(response.status, 200);
    return response.body.find("\"event\":null") == std::string::npos;
  };
  EXPECT_TRUE(is_recorded(tag("a name")));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(is_recorded(tag("a name")));
  EXPECT_NE(tag("a name", "k1").body.find("\"NoChange\""), std::string::npos);
  EXPECT_TRUE(is_recorded(tag("another")));
  EXPECT_TRUE(is_recorded(tag("a name")));
  EXPECT_EQ(run("DELETE", "/v1/accounts/a/private", "").status, 200);
  EXPECT_TRUE(is_recorded(tag("a name")));
  EXPECT_FALSE(is_recorded(tag("a name")));
}

TEST_F(CommandServiceTest, without_a_worker_a_private_value_is_refused_and_nothing_is_kept) {
  std::promise<void> release;
  std::shared_future<void> released(release.get_future());
  std::promise<void> busy;
  ASSERT_TRUE(workers_->post([&busy, released] {
    busy.set_value();
    released.wait();
  }));
  busy.get_future().wait();
  ASSERT_TRUE(workers_->post([] {}));
  EXPECT_EQ(tag("a name").status, 503);
  // What needs no worker goes on, an erasure too.
  EXPECT_EQ(run("DELETE", "/v1/accounts/a/private", "").status, 200);
  EXPECT_EQ(private_.count(PrivateStore::kValues), 0U);
  release.set_value();
}

TEST_F(CommandServiceTest, an_erasure_that_is_repeated_takes_no_newer_value) {
  EXPECT_EQ(tag("old").status, 200);
  EXPECT_EQ(run("DELETE", "/v1/accounts/a/private", "", "E1").status, 200);
  EXPECT_EQ(private_.count(PrivateStore::kValues), 0U);
  EXPECT_EQ(tag("new person").status, 200);
  EXPECT_EQ(run("DELETE", "/v1/accounts/a/private", "", "E1").status, 200);
  EXPECT_EQ(private_.count(PrivateStore::kValues), 1U);
}

TEST_F(CommandServiceTest, a_value_whose_command_was_replayed_or_refused_does_not_stay) {
  EXPECT_EQ(tag("first", "T1").status, 200);
  EXPECT_EQ(tag("first", "T1").status, 200);
  EXPECT_EQ(tag("other", "T1").status, 422);
  EXPECT_EQ(run("PUT", "/v1/accounts/nobody/tags/t", R"({"value":"v","extra":"x"})").status, 404);
  EXPECT_EQ(run("POST", "/v1/accounts/a/close", "{}", "C1").status, 201);
  EXPECT_EQ(tag("late").status, 409);
  stop();
  EXPECT_EQ(private_.count(PrivateStore::kValues), 1U);
}

}  // namespace
}  // namespace daybook::api
