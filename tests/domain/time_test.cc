#include "domain/base/time.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace daybook {
namespace {

TEST(TimeTest, what_rfc_3339_allows_is_read) {
  struct Row {
    const char* text;
    const char* utc;
  };
  const Row rows[] = {
      {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
      {"2026-01-31T10:00:00.000001Z", "2026-01-31T10:00:00.000001Z"},
      {"2026-01-31t10:00:00z", "2026-01-31T10:00:00.000000Z"},
      {"2026-01-31T10:00:00.5Z", "2026-01-31T10:00:00.500000Z"},
      {"2026-01-31T10:00:00.120Z", "2026-01-31T10:00:00.120000Z"},
      // Examples of section 5.8.
      {"1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z"},
      {"1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000000Z"},
      {"1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000Z"},
      // The unknown local offset of section 4.3 is UTC.
      {"2026-01-31T10:00:00-00:00", "2026-01-31T10:00:00.000000Z"},
      {"2026-03-01T00:30:00+08:45", "2026-02-28T15:45:00.000000Z"},
      {"2024-03-01T00:00:00+23:59", "2024-02-29T00:01:00.000000Z"},
      {"2000-02-29T23:59:59.999999Z", "2000-02-29T23:59:59.999999Z"},
      {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
      {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
      {"0000-01-01T01:00:00+01:00", "0000-01-01T00:00:00.000000Z"},
      {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
  };
  for (const auto& row : rows) {
    const auto parsed = parse_rfc3339(row.text);
    ASSERT_TRUE(parsed.has_value()) << row.text;
    EXPECT_EQ(to_rfc3339(*parsed), row.utc) << row.text;
  }
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), Instant{0});
  EXPECT_EQ(parse_rfc3339("1969-12-31T23:59:59.999999Z"), Instant{-1});
  EXPECT_EQ(parse_rfc3339("2026-01-31T10:00:00Z"), Instant{1'769'853'600'000'000});
}

TEST(TimeTest, everything_else_is_refused) {
  for (const char* text : {"",
                           "2026",
                           "2026-01-31",
                           "2026-01-31T10:00:00",
                           "2026-01-31T10:00Z",
                           "2026-01-31 10:00:00Z",
                           "2026-1-31T10:00:00Z",
                           "2026-01-31T10:00:00.Z",
                           "2026-01-31T10:00:00,5Z",
                           "2026-01-31T10:00:00.1234567Z",
                           "2026-01-31T10:00:00.0000000Z",
                           "2026-01-31T10:00:60Z",
                           "2026-12-31T23:59:60Z",
                           "2026-01-31T24:00:00Z",
                           "2026-01-31T10:60:00Z",
                           "2026-02-29T10:00:00Z",
                           "1900-02-29T10:00:00Z",
                           "2026-04-31T10:00:00Z",
                           "2026-00-10T10:00:00Z",
                           "2026-13-10T10:00:00Z",
                           "2026-01-00T10:00:00Z",
                           "2026-01-32T10:00:00Z",
                           "-026-01-31T10:00:00Z",
                           "+2026-01-31T10:00:00Z",
                           "12026-01-31T10:00:00Z",
                           "2026-01-31T10:00:00+24:00",
                           "2026-01-31T10:00:00+01:60",
                           "2026-01-31T10:00:00+0100",
                           "2026-01-31T10:00:00+01",
                           "2026-01-31T10:00:00 Z",
                           "2026-01-31T10:00:00Z ",
                           " 2026-01-31T10:00:00Z",
                           "2026-01-31T10:00:00ZZ",
                           "2026/01/31T10:00:00Z",
                           "2026-01-31T10-00-00Z",
                           "2026-01-31T1O:00:00Z",
                           "2026-01-31T10:00:00.5",
                           "2026-W05-6T10:00:00Z",
                           "2026-01-31T10:00:00\xE2\x88\x92"
                           "01:00"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(parse_rfc3339("2026-01-31T10:00:00Z\0"sv), std::nullopt);
}

TEST(TimeTest, an_offset_cannot_carry_a_moment_out_of_the_years_that_can_be_written) {
  EXPECT_EQ(parse_rfc3339("0000-01-01T00:00:00+00:01"), std::nullopt);
  EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59-00:01"), std::nullopt);
  EXPECT_NE(parse_rfc3339("9999-12-31T23:58:59-00:01"), std::nullopt);
}

TEST(TimeTest, the_day_of_a_moment_before_1970_is_rounded_down) {
  EXPECT_EQ(utc_day_of({0}), 0);
  EXPECT_EQ(utc_day_of({-1}), -1);
  EXPECT_EQ(utc_day_of({86'400'000'000 - 1}), 0);
  EXPECT_EQ(utc_day_of({86'400'000'000}), 1);
  EXPECT_EQ(utc_day_of({-86'400'000'000}), -1);
  EXPECT_EQ(utc_day_of({-86'400'000'001}), -2);
}

RC_GTEST_PROP(TimeProperty, what_is_written_is_read_back, ()) {
  const Instant first = *parse_rfc3339("0000-01-01T00:00:00Z");
  const Instant last = *parse_rfc3339("9999-12-31T23:59:59.999999Z");
  const Instant instant{*rc::gen::inRange(first.micros, last.micros)};
  const std::string text = to_rfc3339(instant);
  RC_ASSERT(text.size() == 27U);
  RC_ASSERT(parse_rfc3339(text) == instant);
}

RC_GTEST_PROP(TimeProperty, a_changed_character_never_reads_as_something_unwritable, ()) {
  std::string text = to_rfc3339({*rc::gen::inRange<std::int64_t>(0, 4'000'000'000'000'000)});
  const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
  text[at] = *rc::gen::arbitrary<char>();
  if (const auto read = parse_rfc3339(text)) RC_ASSERT(parse_rfc3339(to_rfc3339(*read)) == read);
}

}  // namespace
}  // namespace daybook
