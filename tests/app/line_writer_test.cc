#include "app/line_writer.h"

#include <array>
#include <chrono>
#include <string>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

namespace daybook::app {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kLong{10};

/// A pipe, and what comes out of it.
class LineWriterTest : public testing::Test {
 protected:
  LineWriterTest() { EXPECT_EQ(::pipe(files_.data()), 0); }
  // Both ends stay open: a thread that was left behind may write.

  std::string read_until(const std::string& end) {
    std::string text;
    const auto deadline = steady_clock::now() + kLong;
    while (text.find(end) == std::string::npos && steady_clock::now() < deadline) {
      pollfd file = {files_[0], POLLIN, 0};
      if (::poll(&file, 1, 100) != 1) continue;
      std::array<char, 65'536> bytes{};
      const ssize_t count = ::read(files_[0], bytes.data(), bytes.size());
      if (count <= 0) break;
      text.append(bytes.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

  std::array<int, 2> files_{};
};

TEST_F(LineWriterTest, lines_come_in_their_order) {
  LineWriter writer(files_[1]);
  for (int i = 0; i < 100; ++i) writer.write(std::to_string(i) + "\n");
  EXPECT_TRUE(writer.flush(kLong));
  const std::string text = read_until("99\n");
  EXPECT_EQ(text.substr(0, 8), "0\n1\n2\n3\n");
  EXPECT_EQ(text.size(), 290U);
}

TEST_F(LineWriterTest, nobody_waits_for_a_reader_and_lost_lines_are_counted) {
  constexpr int kLines = 10'000;
  const std::string line = std::string(99, 'x') + "\n";
  LineWriter writer(files_[1]);
  const auto begun = steady_clock::now();
  for (int i = 0; i < kLines; ++i) writer.write(line);  // 1 MB; a pipe holds 64 KiB.
  EXPECT_FALSE(writer.flush(std::chrono::milliseconds(50)));
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds(5));
  const std::string text = read_until("lines lost");
  const auto kept = static_cast<int>(text.rfind("x\n") + 2) / 100;
  EXPECT_LT(kept, 4'000);
  EXPECT_NE(text.find("\"count\":" + std::to_string(kLines - kept)), std::string::npos)
      << kept << text.substr(text.size() - 200);
}

TEST_F(LineWriterTest, its_end_does_not_wait_for_a_reader) {
  const auto begun = steady_clock::now();
  {
    LineWriter writer(files_[1]);
    for (int i = 0; i < 100; ++i) writer.write(std::string(1'000, 'x') + "\n");
  }
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds(5));
}

}  // namespace
}  // namespace daybook::app
