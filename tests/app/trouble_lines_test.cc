#include "app/trouble_lines.h"

#include <algorithm>
#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace daybook::app {
namespace {

class HandClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  void advance_seconds(std::int64_t seconds) { now_.micros += seconds * 1'000'000; }

 private:
  Instant now_{1'769'853'600'000'000};
};

class TroubleLinesTest : public testing::Test {
 protected:
  /// The lines of `count` failures.
  std::string told(int count, const std::string& cause = "disk", const std::string& id = "r1") {
    testing::internal::CaptureStderr();
    for (int i = 0; i < count; ++i) trouble_.failed("read", io_error(cause), id);
    EXPECT_TRUE(lines_.flush(std::chrono::seconds(10)));
    return testing::internal::GetCapturedStderr();
  }
  static std::int64_t lines_of(const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  }

  HandClock clock_;
  MessageLines lines_;
  TroubleLines trouble_{lines_, clock_};
};

TEST_F(TroubleLinesTest, a_failure_is_a_line_with_its_cause_and_request) {
  const std::string line = told(1, "log/000012.sst: checksum differs", "0af7");
  EXPECT_EQ(lines_of(line), 1);
  for (const char* part :
       {R"("what":"read")", R"("cause":"log/000012.sst: checksum differs")",
        R"("request_id":"0af7")", R"("level":"error")", R"("event":"failure")"}) {
    EXPECT_NE(line.find(part), std::string::npos) << line;
  }
  EXPECT_EQ(told(1, "x", "").find("request_id"), std::string::npos);
}

TEST_F(TroubleLinesTest, a_repair_is_a_warning_with_what_was_found) {
  testing::internal::CaptureStderr();
  trouble_.repaired("watermark: one of its two slots could not be read");
  EXPECT_TRUE(lines_.flush(std::chrono::seconds(10)));
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines_of(line), 1);
  for (const char* part : {R"("found":"watermark: one of its two slots could not be read")",
                           R"("level":"warning")", R"("event":"repaired")"}) {
    EXPECT_NE(line.find(part), std::string::npos) << line;
  }
}

TEST_F(TroubleLinesTest, a_flood_is_cut_and_the_next_line_says_by_how_much) {
  EXPECT_EQ(lines_of(told(10'000)), TroubleLines::kBurst);
  EXPECT_EQ(told(1), "");
  clock_.advance_seconds(1);
  const std::string later = told(100);
  EXPECT_EQ(lines_of(later), TroubleLines::kPerSecond);
  EXPECT_NE(later.find("\"left_out\":9981"), std::string::npos) << later;
  clock_.advance_seconds(3'600);
  EXPECT_EQ(lines_of(told(1'000)), TroubleLines::kBurst);
}

TEST_F(TroubleLinesTest, any_bytes_make_one_bounded_line_of_json) {
  const std::string line = told(1, "key \xff\n" + std::string(100'000, '\0'));
  EXPECT_EQ(lines_of(line), 1);
  EXPECT_LT(line.size(), 4 * TroubleLines::kCauseBytesMax);
}

}  // namespace
}  // namespace daybook::app
