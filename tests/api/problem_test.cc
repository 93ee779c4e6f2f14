#include "api/problem.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace daybook::api {
namespace {

/// How a detail is written.
std::string quoted(std::string_view text) {
  const std::string body = problem(400, "x", text, "r").body;
  const std::size_t at = body.find("\"detail\":") + 9;
  return body.substr(at, body.rfind(",\"request_id\":") - at);
}

TEST(ProblemTest, the_standard_members_come_in_order) {
  const HttpResponse response = problem(409, "insufficient-funds", "Short by 1.00.", "abc");
  EXPECT_EQ(response.status, 409);
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0].second, "application/problem+json");
  EXPECT_EQ(response.body, R"({"type":"https://daybook.dev/problems/insufficient-funds",)"
                           R"("title":"Insufficient funds","status":409,"detail":"Short by 1.00.",)"
                           R"("request_id":"abc"})");
}

TEST(ProblemTest, extra_members_and_errors_follow) {
  ProblemExtras extras;
  extras.members.emplace_back("short_by", R"({"amount":"1.00","currency":"USD"})");
  extras.errors.push_back({"/amount", "is a float"});
  extras.errors.push_back({"/a\"b", "x"});
  const HttpResponse response = problem(422, "validation", "No.", "r", extras);
  EXPECT_TRUE(response.body.ends_with(R"(,"short_by":{"amount":"1.00","currency":"USD"},)"
                                      R"("errors":[{"pointer":"/amount","detail":"is a float"},)"
                                      R"({"pointer":"/a\"b","detail":"x"}]})"))
      << response.body;
}

TEST(ProblemTest, titles_write_abbreviations_in_capitals) {
  const auto title = [](std::string_view slug) {
    const std::string body = problem(400, slug, "", "").body;
    const std::size_t at = body.find("\"title\":\"") + 9;
    return body.substr(at, body.find('"', at) - at);
  };
  EXPECT_EQ(title("http-version-not-supported"), "HTTP version not supported");
  EXPECT_EQ(title("uri-too-long"), "URI too long");
  EXPECT_EQ(title("timeout"), "Timeout");
}

TEST(ProblemTest, strings_are_escaped_as_json_asks) {
  EXPECT_EQ(quoted("a\"b\\c/\b\f\n\r\t\x01\x1F\x7F"),
            "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(ProblemTest, what_is_not_utf8_is_replaced_and_what_is_stays) {
  EXPECT_EQ(quoted("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(quoted("\xFF"), "\"" + mark + "\"");
  EXPECT_EQ(quoted("\xC0\xAF"), "\"" + mark + mark + "\"");             // overlong
  EXPECT_EQ(quoted("\xED\xA0\x80"), "\"" + mark + mark + mark + "\"");  // surrogate
  EXPECT_EQ(quoted("\xF4\x90\x80\x80"), "\"" + mark + mark + mark + mark + "\"");
  EXPECT_EQ(quoted("a\xE2\x82"), "\"a" + mark + mark + "\"");  // cut short
  EXPECT_EQ(quoted("\xC3("), "\"" + mark + "(\"");
}

}  // namespace
}  // namespace daybook::api
