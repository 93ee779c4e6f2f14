#include "api/json_flat.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace daybook::api {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

Members members_of(std::string_view text) {
  const auto parsed = parse_flat_json_object(text);
  EXPECT_TRUE(parsed.ok()) << text << ": " << parsed.status().message();
  Members members;
  if (parsed.ok()) {
    for (const FlatMember& member : *parsed) members.emplace_back(member.name, member.value);
  }
  return members;
}

TEST(JsonFlatTest, plain_values_come_in_their_order_as_text) {
  EXPECT_EQ(members_of("{}"), Members{});
  EXPECT_EQ(members_of(R"( {"b": "x", "a": "", " org" : "y z"} )"),
            (Members{{"b", "x"}, {"a", ""}, {" org", "y z"}}));
  EXPECT_EQ(members_of(R"({"n":-1.50e+3,"t":true,"f":false,"z":null,"":"e"})"),
            (Members{{"n", "-1.50e+3"}, {"t", "true"}, {"f", "false"}, {"z", ""}, {"", "e"}}));
  EXPECT_EQ(members_of(R"({"n":1E400,"m":-1e-400})"), (Members{{"n", "1E400"}, {"m", "-1e-400"}}));
  EXPECT_EQ(members_of(R"({"q":"\"\\\/\n\u20ac\ud83d\ude00"})"), (Members{{"q", "\"\\/\n€😀"}}));
}

TEST(JsonFlatTest, anything_but_an_object_of_plain_values_is_refused) {
  for (const std::string& text : std::vector<std::string>{"",
                                                          " ",
                                                          "null",
                                                          "1",
                                                          "\"a\"",
                                                          "[]",
                                                          "[{}]",
                                                          "{",
                                                          "{\"a\"}",
                                                          "{\"a\":}",
                                                          "{\"a\":1,}",
                                                          "{'a':1}",
                                                          "{a:1}",
                                                          "{\"a\":1}x",
                                                          "{}{}",
                                                          "{\"a\":{}}",
                                                          "{\"a\":[]}",
                                                          "{\"a\":1,\"a\":2}",
                                                          "{\"a\":01}",
                                                          "{\"a\":NaN}",
                                                          "{\"a\":\"\t\"}",
                                                          "{\"a\":\"\\ud800\"}",
                                                          "{\"a\":\"\\udc00\"}",
                                                          "{\"\\udc00\":1}",
                                                          "{\"a\":\"\\u0000\"}",
                                                          "{\"a\":\"\xff\"}",
                                                          std::string("{}\0", 3),
                                                          std::string("{\"a\":1}\0x", 9),
                                                          "\xEF\xBB\xBF{}",
                                                          std::string(100'000, '['),
                                                          "{\"a\":" + std::string(100'000, '{')}) {
    EXPECT_FALSE(parse_flat_json_object(text).ok()) << text.substr(0, 40);
  }
}

TEST(JsonFlatTest, refusal_says_why) {
  const auto message = [](std::string_view text) {
    return parse_flat_json_object(text).status().message();
  };
  EXPECT_EQ(message("{\"a\":[]}"), "holds an array");
  EXPECT_EQ(message("{\"a\":{}}"), "holds a nested object");
  EXPECT_EQ(message("[]"), "is not an object");
  EXPECT_EQ(message("7"), "is not an object");
  EXPECT_EQ(message("{\"a\":1,\"a\":2}"),
            "is not JSON: two members of one object have the same name (at byte 10)");
  EXPECT_EQ(message("{\"a\" 1}"),
            "is not JSON: Missing a colon after a name of object member. (at byte 5)");
}

}  // namespace
}  // namespace daybook::api
