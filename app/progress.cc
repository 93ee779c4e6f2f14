#include "app/progress.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>

#include <unistd.h>

namespace daybook::app {
namespace {

constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                          std::chrono::milliseconds elapsed) {
  const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(elapsed.count(), 1));
  const std::uint64_t rate = done * 1'000 / milliseconds;
  std::string text = with_commas(done) + " " + what + ", " + with_commas(rate) + "/s";
  if (total > done && rate > 0) {
    const std::uint64_t left = (total - done) / rate;
    const std::string seconds = std::to_string(left % 60);
    text +=
        ", " + std::to_string(left / 60) + (seconds.size() < 2 ? ":0" : ":") + seconds + " left";
  }
  return text;
}

Progress::Progress(std::string what, std::uint64_t total)
    : what_(std::move(what)),
      total_(total),
      terminal_(::isatty(STDERR_FILENO) == 1),
      began_(SteadyClock::now()),
      printed_(began_) {}

Progress::~Progress() { clear(); }

void Progress::update(std::uint64_t done) {
  if (!terminal_) return;
  const auto now = SteadyClock::now();
  if (now - printed_ < kInterval) return;
  printed_ = now;
  shown_ = true;
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - began_);
  std::cerr << '\r' << progress_text(what_, done, total_, elapsed) << "\x1b[K" << std::flush;
}

void Progress::clear() {
  if (std::exchange(shown_, false)) std::cerr << "\r\x1b[K" << std::flush;
}

}  // namespace daybook::app
