#include "domain/base/utf8.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace daybook {
namespace {

/// The encoding of a code point of up to 21 bits, also of those that UTF-8 excludes.
std::string encoded(std::uint32_t code, int length) {
  if (length == 1) return {static_cast<char>(code)};
  std::string bytes;
  for (int i = length - 1; i > 0; --i) {
    bytes.insert(bytes.begin(), static_cast<char>(0x80U | (code & 0x3fU)));
    code >>= 6;
  }
  const std::uint32_t lead = length == 2 ? 0xC0U : length == 3 ? 0xE0U : 0xF0U;
  bytes.insert(bytes.begin(), static_cast<char>(lead | code));
  return bytes;
}

TEST(Utf8Test, every_code_point_has_exactly_its_shortest_encoding) {
  for (std::uint32_t code = 0; code < 0x200000; ++code) {
    const int shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    const bool allowed = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    ASSERT_EQ(is_utf8(encoded(code, shortest)), allowed) << std::hex << code;
    for (int longer = shortest + 1; longer <= 4; ++longer) {
      ASSERT_FALSE(is_utf8(encoded(code, longer))) << std::hex << code;
    }
  }
}

TEST(Utf8Test, cut_and_stray_bytes_are_refused_anywhere) {
  for (const char* const text :
       {"\x80", "a\xBF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC3(", "\xE2(\xA1", "\xE2\x82(",
        "\xF0\x9F(\x80", "\xFE", "\xFF", "ok \xF8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("плата 5 € 😀"));
}

TEST(Utf8Test, what_is_not_utf8_is_replaced_byte_by_byte) {
  EXPECT_EQ(to_utf8("плата 5 € 😀"), "плата 5 € 😀");
  EXPECT_EQ(to_utf8("a\xE2\x82 b\xFF"), "a\uFFFD\uFFFD b\uFFFD");
  EXPECT_EQ(to_utf8("\xC0\xAF"), "\uFFFD\uFFFD");
}

}  // namespace
}  // namespace daybook
