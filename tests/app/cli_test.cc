#include "app/cli.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/json_reader.h"
#include "app/bench_parts.h"
#include "app/http_client.h"
#include "app/progress.h"
#include "app/version.h"

namespace daybook::app {
namespace {

using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

struct Ended {
  int status = 0;
  std::string out;
  std::string err;
};

Ended run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "daybook");
  CaptureStdout();
  CaptureStderr();
  Ended ended;
  ended.status = run_command_line(static_cast<int>(arguments.size()), arguments.data());
  ended.out = GetCapturedStdout();
  ended.err = GetCapturedStderr();
  return ended;
}

TEST(CliTest, version_is_data_on_stdout) {
  const Ended ended = run({"version", "--json"});
  EXPECT_EQ(ended.status, kExitOk);
  EXPECT_EQ(ended.out, version_json() + "\n");
  EXPECT_EQ(ended.err, "");
  const auto json = api::parse_json(version_json());
  ASSERT_TRUE(std::holds_alternative<api::JsonValue>(json));
  EXPECT_EQ(text_member(std::get<api::JsonValue>(json), "version"), version_text());
}

TEST(CliTest, help_succeeds_and_names_every_verb) {
  const Ended ended = run({"--help"});
  EXPECT_EQ(ended.status, kExitOk);
  for (const char* verb : {"serve", "demo", "keys", "import", "verify", "replay", "rebuild",
                           "inspect", "backup", "restore", "bench", "version"}) {
    EXPECT_THAT(ended.out, HasSubstr(verb));
  }
}

TEST(CliTest, wrong_usage_is_2_with_nothing_on_stdout) {
  for (const std::vector<const char*>& arguments : std::vector<std::vector<const char*>>{
           {},
           {"nonsense"},
           {"serve", "--nonsense"},
           {"serve", "--listen", "nowhere"},
           {"serve", "--log", "kafka"},
           {"serve", "--kafka-brokers", "a:1"},
           {"serve", "--reader-threads", "0"},
           {"serve", "--config", "/no/such/file"},
           {"import", "focus"},
           {"import", "focus", "f.csv"},
           {"import", "focus", "f.csv", "--data", "d", "--url", "u"},
           {"import", "focus", "f.csv", "--url", "http://h"},
           {"keys", "create", "--url", "u", "--key-file", "f", "--role", "king"},
           {"replay"},
           {"replay", "--data", "d"},
           {"replay", "--data", "d", "--account", "a", "--as-of", "soon"},
           {"replay", "--data", "d", "--account", "a", "--as-of-position", "17"},
           {"verify", "--data"},
           {"inspect", "--data", "d", "--position", "x"},
           {"backup", "--data", "d"},
           {"restore", "--data", "d"},
           {"bench", "--batch", "0"},
           {"bench", "--accounts", "0"},
           {"bench", "--runs", "-1"},
           {"bench", "--distribution", "pareto"},
           {"bench", "--keys", "sorted"},
           {"bench", "--preload", "many"},
           {"bench", "--read-log"},
           {"bench", "--ledger", ""}}) {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.status, kExitUsage) << testing::PrintToString(arguments);
    EXPECT_EQ(ended.out, "");
    EXPECT_THAT(ended.err, testing::StartsWith("daybook: "));
  }
}

TEST(CliTest, a_command_that_is_not_there_is_named) {
  EXPECT_THAT(run({"foo"}).err, HasSubstr("there is no command \"foo\""));
  EXPECT_THAT(run({"keys", "foo", "--json"}).err, HasSubstr("there is no command \"foo\""));
  EXPECT_THAT(run({"--foo"}).err, HasSubstr("there is no option \"--foo\""));
  EXPECT_THAT(run({"keys"}).err, HasSubstr("A subcommand is required"));
  EXPECT_THAT(run({"replay", "foo"}).err, HasSubstr("--data is required"));
}

TEST(CliTest, kafka_is_said_to_be_not_in_this_build) {
  EXPECT_THAT(run({"serve", "--log", "kafka"}).err, HasSubstr("not available in this build"));
}

TEST(CliTest, every_kind_of_failure_has_its_exit_code) {
  EXPECT_EQ(exit_code_of(StatusCode::kOk), 0);
  EXPECT_EQ(exit_code_of(StatusCode::kInvalid), 1);
  EXPECT_EQ(exit_code_of(StatusCode::kIo), 1);
  EXPECT_EQ(exit_code_of(StatusCode::kNotFound), 3);
  EXPECT_EQ(exit_code_of(StatusCode::kConflict), 4);
  EXPECT_EQ(exit_code_of(StatusCode::kCorrupt), 5);
  EXPECT_EQ(exit_code_of(StatusCode::kUnavailable), 6);
}

TEST(CliTest, a_problem_of_the_server_keeps_its_kind) {
  const auto code = [](int status) { return json_of({status, "{}"}).status().code(); };
  EXPECT_EQ(code(200), StatusCode::kOk);
  EXPECT_EQ(code(404), StatusCode::kNotFound);
  EXPECT_EQ(code(409), StatusCode::kConflict);
  EXPECT_EQ(code(412), StatusCode::kConflict);
  EXPECT_EQ(code(422), StatusCode::kInvalid);
  EXPECT_EQ(code(503), StatusCode::kUnavailable);
  EXPECT_THAT(json_of({409, R"({"title":"T","detail":"because"})"}).status().message(),
              HasSubstr("409 T: because"));
  EXPECT_FALSE(json_of({200, "<html>"}).ok());
}

TEST(CliTest, path_segments_are_percent_encoded) {
  EXPECT_EQ(percent_encoded("a-1_.~"), "a-1_.~");
  EXPECT_EQ(percent_encoded("a/b c\xc3\xa9"), "a%2Fb%20c%C3%A9");
}

TEST(CliTest, progress_tells_rate_and_time_left) {
  using std::chrono::milliseconds;
  EXPECT_EQ(progress_text("rows", 1'000, 0, milliseconds(500)), "1,000 rows, 2,000/s");
  EXPECT_EQ(progress_text("rows", 1'000, 131'000, milliseconds(1'000)),
            "1,000 rows, 1,000/s, 2:10 left");
  EXPECT_EQ(progress_text("rows", 5, 5, milliseconds(0)), "5 rows, 5,000/s");
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(1'234'567), "1,234,567");
}

TEST(CliTest, the_median_is_the_middle_run) {
  EXPECT_EQ(median_of({30, 10, 20}), 20U);
  EXPECT_EQ(rate_of(1'000, 500'000), 2'000U);
}

}  // namespace
}  // namespace daybook::app
