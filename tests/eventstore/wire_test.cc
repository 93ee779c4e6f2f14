#include "eventstore/wire.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace daybook::eventstore {
namespace {

using std::string_view_literals::operator""sv;

std::string varint(uint128 value) {
  std::string out;
  WireWriter(out).varint128(value);
  return out;
}

TEST(WireTest, fixed_integers_are_little_endian) {
  std::string out;
  WireWriter wire(out);
  wire.fixed8(0xAB);
  wire.fixed32(0x01020304);
  wire.fixed64(0x0102030405060708);
  EXPECT_EQ(out, "\xAB\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01"sv);
  WireReader reader(out);
  EXPECT_EQ(reader.fixed8(), 0xAB);
  EXPECT_EQ(reader.fixed32(), 0x01020304U);
  EXPECT_EQ(reader.fixed64(), 0x0102030405060708U);
  EXPECT_TRUE(reader.ok() && reader.at_end());
}

TEST(WireTest, varints_have_their_known_forms) {
  EXPECT_EQ(varint(0), "\0"sv);
  EXPECT_EQ(varint(1), "\x01"sv);
  EXPECT_EQ(varint(127), "\x7F"sv);
  EXPECT_EQ(varint(128), "\x80\x01"sv);
  EXPECT_EQ(varint(300), "\xAC\x02"sv);
  EXPECT_EQ(varint(UINT64_MAX).size(), 10U);
  EXPECT_EQ(varint(~uint128{0}).size(), 19U);
}

TEST(WireTest, a_varint_that_is_too_long_or_too_large_is_refused) {
  const auto reads64 = [](std::string_view bytes) {
    WireReader reader(bytes);
    reader.varint();
    return reader.ok();
  };
  const auto reads128 = [](std::string_view bytes) {
    WireReader reader(bytes);
    reader.varint128();
    return reader.ok();
  };
  EXPECT_FALSE(reads64(""));
  EXPECT_FALSE(reads64("\x80"));
  EXPECT_FALSE(reads64("\x80\x00"sv));      // 0 in two bytes
  EXPECT_FALSE(reads64("\xFF\x80\x00"sv));  // 127 in three
  EXPECT_TRUE(reads64(varint(UINT64_MAX)));
  EXPECT_FALSE(reads64(varint(uint128{1} << 64)));
  EXPECT_FALSE(reads64("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x81\x00"sv));
  EXPECT_TRUE(reads128(varint(~uint128{0})));
  EXPECT_FALSE(reads128(std::string(18, '\xFF') + '\x04'));  // 2^128 and above
  EXPECT_FALSE(reads128(std::string(19, '\xFF')));
}

TEST(WireTest, after_a_failure_everything_is_empty_and_stays_so) {
  WireReader reader(
      "\x05"
      "abc");
  EXPECT_EQ(reader.text(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(reader.fixed8(), 0);
  EXPECT_EQ(reader.fixed64(), 0U);
  EXPECT_EQ(reader.varint(), 0U);
  EXPECT_EQ(reader.raw(0), "");
  EXPECT_FALSE(reader.ok());
}

TEST(WireTest, a_length_beyond_the_rest_is_refused) {
  WireReader whole(
      "\x03"
      "abc");
  EXPECT_EQ(whole.text(), "abc");
  EXPECT_TRUE(whole.ok() && whole.at_end());
  const std::string bomb = varint(UINT64_MAX) + "abc";
  WireReader reader(bomb);
  EXPECT_EQ(reader.text(), "");
  EXPECT_FALSE(reader.ok());
}

RC_GTEST_PROP(WireProperty, numbers_read_back, (std::uint64_t high, std::uint64_t low)) {
  const uint128 number = ((uint128{high} << 64) | low) >> *rc::gen::inRange(0, 128);
  const std::string bytes = varint(number);
  WireReader reader(bytes);
  RC_ASSERT(reader.varint128() == number);
  RC_ASSERT(reader.ok() && reader.at_end());
}

RC_GTEST_PROP(WireProperty, what_reads_as_a_varint_is_its_only_form, (std::string bytes)) {
  WireReader reader(bytes);
  const uint128 number = reader.varint128();
  if (reader.ok()) {
    RC_ASSERT(varint(number) == bytes.substr(0, bytes.size() - reader.remaining()));
  }
}

}  // namespace
}  // namespace daybook::eventstore
