#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace daybook {

/// A moment: microseconds since 1970-01-01T00:00:00Z, no leap seconds. Passed in, never read here.
struct Instant {
  std::int64_t micros = 0;

  auto operator<=>(const Instant&) const = default;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(micros);
  }
};

/// Days since 1970-01-01 (UTC) of an instant, rounded down: the key of a daily total.
std::int64_t utc_day_of(Instant instant);

/// RFC 3339 in UTC with six decimals: `2026-01-31T10:00:00.000001Z`. Years 0000 to 9999.
std::string to_rfc3339(Instant instant);

/// Reads RFC 3339 (section 5.6): any offset, 0 to 6 decimals, upper or lower case T and Z.
/// Leap seconds, more decimals, impossible dates and moments outside the years 0000 to 9999 of UTC
/// are refused: nothing is rounded, and what was read can be written.
std::optional<Instant> parse_rfc3339(std::string_view text);

}  // namespace daybook
