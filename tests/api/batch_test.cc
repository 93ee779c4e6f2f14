#include "api/batch.h"

#include <chrono>
#include <cstddef>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/json_reader.h"
#include "tests/api/command_rig.h"

namespace daybook::api {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::size_t kMany = 300;  // more than are submitted together

class BatchTest : public CommandRig {
 protected:
  BatchTest() {
    principal_.tenant = first_tenant_;
    principal_.roles.add(domain::Role::kAdmin);
  }

  HttpResponse send(const std::string& body, std::string_view type = "application/json") {
    HttpRequest request;
    request.headers.add("Content-Type", type);
    request.body = body;
    request.request_id = "r";
    std::promise<HttpResponse> answer;
    run_batch(request, {principal_, first_tenant_, *service_},
              [&answer](HttpResponse response) { answer.set_value(std::move(response)); });
    return answer.get_future().get();
  }
  HttpResponse send_lines(const std::string& lines) { return send(lines, "application/x-ndjson"); }

  static std::string charge(const std::string& account, const std::string& key) {
    return R"({"method":"POST","path":"/v1/accounts/)" + account +
           R"(/charges","idempotency_key":")" + key +
           R"(","body":{"amount":{"amount":"1","currency":"USD"},"enforce":"record"}})";
  }
  static std::string tag(const std::string& account, const std::string& key) {
    return R"({"method":"PUT","path":"/v1/accounts/)" + account + "/tags/t" + key +
           R"(","idempotency_key":")" + key + R"(","body":{"value":"v","extra":"a name"}})";
  }
  static std::string batch_of(const std::vector<std::string>& commands) {
    std::string text = R"({"commands":[)";
    for (const auto& command : commands) text += (&command == commands.data() ? "" : ",") + command;
    return text + "]}";
  }
  static std::vector<std::string> statuses(const HttpResponse& response) {
    auto read = parse_json(response.body);
    std::vector<std::string> found;
    for (const auto& result : *std::get<JsonValue>(read).find("results")->array()) {
      found.push_back(result.find("status")->number()->text);
    }
    return found;
  }

  TenantId first_tenant_{"main"};
  Principal principal_;
};

// --- Private values

TEST_F(BatchTest, private_values_are_made_durable_with_one_write_for_hundreds) {
  std::vector<std::string> commands;
  for (std::size_t i = 0; i < kMany; ++i) commands.push_back(tag("a", std::to_string(i)));
  EXPECT_THAT(statuses(send(batch_of(commands))), AllOf(SizeIs(kMany), Each("200")));
  EXPECT_EQ(private_.value_writes(), 2U);
  EXPECT_EQ(private_.count(PrivateStore::kValues), kMany);
}

TEST_F(BatchTest, one_that_waits_for_the_disk_keeps_no_other_command_waiting) {
  private_.set_hangs(true);
  auto batch = std::async(std::launch::async, [this] {
    return send(batch_of({charge("a", "k1"), tag("a", "k2"), charge("a", "k3")}));
  });
  private_.wait_for_value_write();
  auto single = begin("POST", "/v1/accounts/a/top-ups",
                      R"({"amount":{"amount":"1","currency":"USD"}})", "single");
  EXPECT_EQ(single.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  private_.set_hangs(false);
  EXPECT_EQ(single.get().status, 201);
  EXPECT_THAT(statuses(batch.get()), ElementsAre("201", "200", "201"));
}

TEST_F(BatchTest, what_follows_a_value_that_could_not_be_kept_is_not_done_on_its_account) {
  EXPECT_EQ(run("POST", "/v1/accounts", R"({"id":"b","currency":"USD"})", "open-b").status, 201);
  private_.set_fails(true);
  const auto commands =
      batch_of({charge("a", "k1"), tag("a", "k2"), charge("b", "k3"), charge("a", "k4")});
  EXPECT_THAT(statuses(send(commands)), ElementsAre("201", "503", "201", "503"));
  private_.set_fails(false);
  EXPECT_THAT(statuses(send(commands)), ElementsAre("201", "200", "201", "201"));
}

TEST_F(BatchTest, once_the_ledger_stops_no_value_is_written_any_more) {
  std::vector<std::string> commands;
  for (std::size_t i = 0; i < kMany; ++i) commands.push_back(tag("a", std::to_string(i)));
  private_.set_hangs(true);
  auto batch = std::async(std::launch::async, [&] { return send(batch_of(commands)); });
  private_.wait_for_value_write();
  ledger_->stop();
  private_.set_hangs(false);
  EXPECT_THAT(statuses(batch.get()), AllOf(SizeIs(kMany), Each("503")));
  EXPECT_EQ(private_.value_writes(), 1U) << "the first chunk, which was under way";
}

// --- Order

TEST_F(BatchTest, commands_of_an_account_are_decided_in_their_order_across_chunks) {
  std::vector<std::string> commands;
  for (std::size_t i = 0; i < kMany; ++i) commands.push_back(charge("a", std::to_string(i)));
  const HttpResponse response = send(batch_of(commands));
  std::size_t at = 0;
  for (std::size_t i = 0; i < kMany; ++i) {
    // Version 1 is its opening.
    at = response.body.find(R"("version":)" + std::to_string(i + 2) + "}", at);
    ASSERT_NE(at, std::string::npos) << "command " << i;
  }
}

// --- NDJSON

TEST_F(BatchTest, lines_are_counted_with_those_that_are_empty) {
  const HttpResponse response = send_lines(charge("a", "k1") + "\n\n\r\n{\n");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("line 4: "));
}

TEST_F(BatchTest, both_forms_hold_two_million_members_and_elements_in_all) {
  std::string list = "[1";
  for (int i = 1; i < 100'000; ++i) list += ",1";
  list += "]";
  const auto lines = [&](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += list + "\n";
    return text;
  };
  EXPECT_EQ(send_lines(lines(19)).status, 200);
  HttpResponse refused = send_lines(lines(20));
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("line 20: more than 2000000 members and elements"));
  refused = send(batch_of(std::vector<std::string>(20, list)));
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("more than 2000000 members and elements"));
}

}  // namespace
}  // namespace daybook::api
