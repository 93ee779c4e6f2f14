#include "app/http_client.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace daybook::app {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string message_of(const std::string& body) {
  return json_of(HttpAnswer{422, body}).status().message();
}

TEST(HttpClientTest, a_problem_is_told_with_its_errors) {
  EXPECT_EQ(
      message_of(R"({"title":"Validation","detail":"the query is not valid","errors":[
                {"pointer":"/amount","detail":"is missing"},
                {"pointer":"","parameter":"as_of","detail":"must not lie in the future"}]})"),
      "the server answered 422 Validation: the query is not valid (/amount: is missing; as_of: "
      "must not lie in the future)");
}

TEST(HttpClientTest, a_problem_without_errors_and_an_answer_that_is_none_are_told) {
  EXPECT_EQ(message_of(R"({"title":"Gone","errors":[]})"), "the server answered 422 Gone");
  EXPECT_EQ(message_of(R"({"errors":7})"), "the server answered 422");
  EXPECT_EQ(message_of("<html>"), "the server answered 422");
}

TEST(HttpClientTest, of_many_errors_the_first_are_told_and_the_rest_counted) {
  std::string errors;
  for (int i = 0; i < 11; ++i) {
    errors += std::string(i == 0 ? "" : ",") + R"({"pointer":"/p)" + std::to_string(i) +
              R"(","detail":"no"})";
  }
  const std::string message = message_of(R"({"title":"Validation","errors":[)" + errors + "]}");
  EXPECT_THAT(message, HasSubstr("/p7: no; and 3 more)"));
  EXPECT_THAT(message, Not(HasSubstr("/p8")));
}

}  // namespace
}  // namespace daybook::app
