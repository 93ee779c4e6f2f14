#include "domain/base/time.h"

#include <chrono>
#include <string>

namespace daybook {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

constexpr std::int64_t first_second_of(int year) {
  const std::chrono::sys_days day{std::chrono::year{year} / std::chrono::January / 1};
  return std::int64_t{day.time_since_epoch().count()} * kSecondsPerDay;
}
constexpr std::int64_t kFirstSecond = first_second_of(0);
constexpr std::int64_t kEndSecond = first_second_of(10'000);

std::int64_t floor_div(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

/// Reads exactly `width` digits at `at`.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t width) {
  if (at + width > text.size()) return std::nullopt;
  int value = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/// Writes a number that fits into `width` digits at `at`.
void put_digits(std::string& text, std::size_t at, std::size_t width, int value) {
  for (std::size_t i = at + width; i-- > at; value /= 10) {
    text[i] = static_cast<char>('0' + value % 10);
  }
}

struct Offset {
  int minutes;
};

std::optional<Offset> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return Offset{0};
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const auto hours = digits(text, 1, 2);
  const auto minutes = digits(text, 4, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const int total = *hours * 60 + *minutes;
  return Offset{text[0] == '-' ? -total : total};
}

}  // namespace

std::int64_t utc_day_of(Instant instant) {
  return floor_div(instant.micros, kMicrosPerSecond * kSecondsPerDay);
}

std::string to_rfc3339(Instant instant) {
  const std::int64_t seconds = floor_div(instant.micros, kMicrosPerSecond);
  const std::int64_t day = floor_div(seconds, kSecondsPerDay);
  const std::int64_t in_day = seconds - day * kSecondsPerDay;
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  std::string text = "0000-00-00T00:00:00.000000Z";
  put_digits(text, 0, 4, static_cast<int>(date.year()));
  put_digits(text, 5, 2, static_cast<int>(static_cast<unsigned>(date.month())));
  put_digits(text, 8, 2, static_cast<int>(static_cast<unsigned>(date.day())));
  put_digits(text, 11, 2, static_cast<int>(in_day / 3600));
  put_digits(text, 14, 2, static_cast<int>(in_day / 60 % 60));
  put_digits(text, 17, 2, static_cast<int>(in_day % 60));
  put_digits(text, 20, 6, static_cast<int>(instant.micros - seconds * kMicrosPerSecond));
  return text;
}

std::optional<Instant> parse_rfc3339(std::string_view text) {
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return std::nullopt;
  if (text[10] != 'T' && text[10] != 't') return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;

  std::size_t at = 19;
  std::int64_t micros = 0;
  if (at < text.size() && text[at] == '.') {
    std::int64_t unit = kMicrosPerSecond;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      unit /= 10;
      if (unit == 0) return std::nullopt;
      micros += (text[at] - '0') * unit;
    }
    if (at == first) return std::nullopt;
  }
  const auto offset = parse_offset(text.substr(at));
  if (!offset) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t minutes = (days * 24 + *hour) * 60 + *minute - offset->minutes;
  const std::int64_t seconds = minutes * 60 + *second;
  // An offset can carry the moment out of the years that to_rfc3339() can write.
  if (seconds < kFirstSecond || seconds >= kEndSecond) return std::nullopt;
  return Instant{seconds * kMicrosPerSecond + micros};
}

}  // namespace daybook
