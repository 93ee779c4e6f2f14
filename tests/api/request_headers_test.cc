#include "api/request_headers.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace daybook::api {
namespace {

TEST(RequestHeadersTest, if_match_is_one_entity_tag_as_answers_give_it) {
  EXPECT_EQ(parse_if_match("\"12\""), 12U);
  EXPECT_EQ(parse_if_match("\"0\""), 0U);
  EXPECT_EQ(parse_if_match("\"18446744073709551615\""), UINT64_MAX);
  for (const std::string_view text :
       {"", "12", "\"\"", "\"012\"", "\"00\"", "\"+12\"", "\"-1\"", "\" 12\"", "\"12 \"", "*",
        "W/\"12\"", "\"1\", \"2\"", "\"18446744073709551616\"", "\"1e3\"", "\"0x1\"", "\"",
        "\"12"}) {
    EXPECT_EQ(parse_if_match(text), std::nullopt) << text;
  }
}

TEST(RequestHeadersTest, an_idempotency_key_is_1_to_255_visible_characters) {
  EXPECT_TRUE(is_idempotency_key("!~"));
  EXPECT_TRUE(is_idempotency_key(std::string(255, 'k')));
  for (const std::string& text :
       {std::string(), std::string(256, 'k'), std::string("a b"), std::string("a\x7F"),
        std::string("\xC3\xA4"), std::string(1, '\0')}) {
    EXPECT_FALSE(is_idempotency_key(text)) << text;
  }
}

}  // namespace
}  // namespace daybook::api
