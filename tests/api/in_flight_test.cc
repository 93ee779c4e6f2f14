#include "api/in_flight.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace daybook::api {
namespace {

constexpr std::chrono::hours kForever{1};

class InFlightTest : public testing::Test {
 protected:
  /// A command with this key; what it is answered goes to `answers`.
  Respond guard(const std::string& key) {
    return in_flight_.guard("tenant/account", key, "request", [this](const HttpResponse& response) {
      answers.push_back(response.status);
    });
  }

  std::vector<int> answers;
  InFlight in_flight_{kForever, 2};
};

HttpResponse created() {
  HttpResponse response;
  response.status = 201;
  return response;
}

TEST_F(InFlightTest, a_duplicate_beyond_the_bound_is_told_at_once_and_the_others_wait_on) {
  std::vector<Respond> running;
  for (int i = 0; i < 3; ++i) running.push_back(guard("k"));
  EXPECT_TRUE(answers.empty());
  running.push_back(guard("k"));
  EXPECT_EQ(answers, std::vector<int>{409});
  for (const Respond& respond : running) respond(created());
  EXPECT_EQ(answers, (std::vector<int>{409, 201, 201, 201}));
}

TEST_F(InFlightTest, duplicates_that_were_answered_do_not_count) {
  for (int i = 0; i < 10; ++i) {
    const Respond first = guard("k");
    const Respond second = guard("k");
    const Respond third = guard("k");
    first(created());
    second(created());
    third(created());
  }
  EXPECT_EQ(answers, std::vector<int>(30, 201));
}

TEST_F(InFlightTest, nothing_of_a_duplicate_is_kept_once_it_is_answered) {
  const auto connection = std::make_shared<int>(0);
  const Respond first = guard("k");
  const Respond second =
      in_flight_.guard("tenant/account", "k", "request", [connection](const HttpResponse&) {});
  EXPECT_EQ(connection.use_count(), 2);
  second(created());
  EXPECT_EQ(connection.use_count(), 1);
  first(created());
}

}  // namespace
}  // namespace daybook::api
