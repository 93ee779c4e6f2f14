#include "eventstore/json_text.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace daybook::eventstore {
namespace {

using std::string_view_literals::operator""sv;

TEST(JsonTextTest, strings_have_the_escapes_of_rfc_8785_and_no_others) {
  EXPECT_EQ(json_string("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json_string("\b\t\n\f\r"), R"("\b\t\n\f\r")");
  EXPECT_EQ(json_string("\0\x01\x0B\x0E\x1F"sv), R"("\u0000\u0001\u000b\u000e\u001f")");
  EXPECT_EQ(json_string("\x7F"), "\"\x7F\"");
  EXPECT_EQ(json_string("<script>&'"), R"("<script>&'")");
  EXPECT_EQ(json_string("Аренда ข้อ 💾"), "\"Аренда ข้อ 💾\"");
  // Line separators are no control characters of JSON.
  EXPECT_EQ(json_string("\xE2\x80\xA8"), "\"\xE2\x80\xA8\"");
  EXPECT_EQ(json_string(""), "\"\"");
}

TEST(JsonTextTest, the_example_of_rfc_8785_sorts_as_printed_there) {
  // Section 3.2.3: members by UTF-16 code units.
  const std::string text = JsonObject()
                               .string("\xE2\x82\xAC", "Euro Sign")
                               .string("\r", "Carriage Return")
                               .string("\xEF\xAC\xB3", "Hebrew Letter Dalet With Dagesh")
                               .string("1", "One")
                               .string("\xF0\x9F\x98\x80", "Emoji: Grinning Face")
                               .string("\xC2\x80", "Control")
                               .string("\xC3\xB6", "Latin Small Letter O With Diaeresis")
                               .text();
  EXPECT_EQ(text,
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
            "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro Sign\","
            "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
            "\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(JsonTextTest, an_object_takes_every_kind_of_value) {
  EXPECT_EQ(JsonObject().text(), "{}");
  EXPECT_TRUE(JsonObject().empty());
  for (const bool in_order : {true, false}) {
    JsonObject taken;
    taken.number(in_order ? "a" : "b", 1).number(in_order ? "b" : "a", 2);
    EXPECT_EQ(taken.text(), in_order ? R"({"a":1,"b":2})" : R"({"a":2,"b":1})");
    EXPECT_EQ(taken.null("c").text(), R"({"c":null})") << "it is a new one";
  }
  JsonObject object;
  object.null("n").boolean("t", true).boolean("f", false).number("u", UINT64_MAX).raw("r", "[1]");
  EXPECT_FALSE(object.empty());
  EXPECT_EQ(object.text(), R"({"f":false,"n":null,"r":[1],"t":true,"u":18446744073709551615})");
  EXPECT_EQ(json_array({}), "[]");
  EXPECT_EQ(json_array({"1", "\"a\""}), "[1,\"a\"]");
}

TEST(JsonTextTest, an_object_within_a_text_is_sorted_by_itself) {
  for (const bool in_order : {true, false}) {
    JsonObject outer;
    outer.number("z", 1)
        .with("b",
              [&](std::string& out) {
                JsonObject inner(std::move(out));
                // Escaped, the quote would come behind the letter.
                inner.number(in_order ? "\"" : "A\\", 2).number(in_order ? "A\\" : "\"", 3);
                out = inner.text();
              })
        .with("a", [](std::string& out) { out = JsonObject(std::move(out)).text(); });
    EXPECT_EQ(outer.text(), in_order ? R"({"a":{},"b":{"\"":2,"A\\":3},"z":1})"
                                     : R"({"a":{},"b":{"\"":3,"A\\":2},"z":1})");
  }
}

RC_GTEST_PROP(JsonTextProperty, escapes_stand_wherever_they_are_needed, ()) {
  // Eight bytes are looked at together: what stands before, beside and behind them matters.
  const auto byte = rc::gen::weightedOneOf<char>(
      {{8, rc::gen::inRange<char>('a', 'z')},
       {2, rc::gen::elementOf(std::string("\"\\\n\x1F\x20\x21\x5B\x5D\x7F\x80\xA2\xDC\xFF"))},
       {1, rc::gen::arbitrary<char>()}});
  const auto text = *rc::gen::container<std::string>(byte);
  std::string plain = "\"";
  for (const char c : text) {
    const std::string one = json_string(std::string(1, c));
    plain += one.substr(1, one.size() - 2);
  }
  RC_ASSERT(json_string(text) == plain + "\"");
  std::string behind = "before";
  append_json_string(behind, text);
  RC_ASSERT(behind == "before" + plain + "\"");
}

RC_GTEST_PROP(JsonTextProperty, the_order_in_which_members_come_does_not_show, ()) {
  auto names = *rc::gen::unique<std::vector<std::string>>(
      rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '\x7F')));
  const auto text_of = [](const std::vector<std::string>& given) {
    JsonObject object;
    for (const std::string& name : given) object.string(name, name);
    return object.text();
  };
  const std::string text = text_of(names);
  std::sort(names.begin(), names.end(), is_utf16_less);
  RC_ASSERT(text_of(names) == text);
}

TEST(JsonTextDeathTest, a_name_given_twice_is_a_bug) {
  JsonObject object;
  object.string("a", "1").string("b", "2").string("a", "3");
  EXPECT_DEATH(object.text(), "CHECK");
  JsonObject in_order;
  in_order.string("a", "1").string("a", "2");
  EXPECT_DEATH(in_order.text(), "CHECK");
}

std::string utf8(char32_t point) {
  std::string out;
  const auto push = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    push(point);
  } else if (point < 0x800) {
    push(0xC0 | point >> 6);
    push(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    push(0xE0 | point >> 12);
    push(0x80 | (point >> 6 & 0x3F));
    push(0x80 | (point & 0x3F));
  } else {
    push(0xF0 | point >> 18);
    push(0x80 | (point >> 12 & 0x3F));
    push(0x80 | (point >> 6 & 0x3F));
    push(0x80 | (point & 0x3F));
  }
  return out;
}
std::u16string utf16(char32_t point) {
  if (point < 0x10000) return {static_cast<char16_t>(point)};
  point -= 0x10000;
  return {static_cast<char16_t>(0xD800 + (point >> 10)),
          static_cast<char16_t>(0xDC00 + (point & 0x3FF))};
}

RC_GTEST_PROP(JsonTextProperty, names_sort_as_their_utf16_code_units, ()) {
  // From each region where the two orders could part.
  const std::vector<std::pair<char32_t, char32_t>> regions = {
      {1, 0x80},        {0x80, 0x800},     {0x800, 0xD000},    {0xD000, 0xD800},
      {0xE000, 0xF000}, {0xF000, 0x10000}, {0x10000, 0x20000}, {0x20000, 0x110000}};
  const auto make = [&] {
    std::pair<std::string, std::u16string> text;
    const int length = *rc::gen::inRange(0, 4);
    for (int i = 0; i < length; ++i) {
      const auto region = *rc::gen::elementOf(regions);
      const auto point = static_cast<char32_t>(*rc::gen::inRange<std::uint32_t>(
          static_cast<std::uint32_t>(region.first), static_cast<std::uint32_t>(region.second)));
      text.first += utf8(point);
      text.second += utf16(point);
    }
    return text;
  };
  auto left = make();
  auto right = make();
  if (*rc::gen::arbitrary<bool>()) {  // a common beginning
    const auto common = make();
    left = {common.first + left.first, common.second + left.second};
    right = {common.first + right.first, common.second + right.second};
  }
  RC_ASSERT(is_utf16_less(left.first, right.first) == (left.second < right.second));
  RC_ASSERT(!is_utf16_less(left.first, left.first));
}

}  // namespace
}  // namespace daybook::eventstore
