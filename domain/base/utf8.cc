#include "domain/base/utf8.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace daybook {
namespace {

constexpr bool in_range(std::uint8_t byte, std::uint8_t first, std::uint8_t last) {
  return byte >= first && byte <= last;
}

/// Length of the well-formed sequence at the start of `rest`, 0 if there is none (RFC 3629, sec.
/// 4).
std::size_t sequence_length(std::string_view rest) {
  const auto byte = [&](std::size_t i) {
    return i < rest.size() ? static_cast<std::uint8_t>(rest[i]) : std::uint8_t{0};
  };
  const auto tail = [&](std::size_t i) { return in_range(byte(i), 0x80, 0xBF); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (in_range(lead, 0xC2, 0xDF)) return tail(1) ? 2 : 0;
  if (in_range(lead, 0xE0, 0xEF)) {
    const std::uint8_t first = lead == 0xE0 ? 0xA0 : 0x80;
    const std::uint8_t last = lead == 0xED ? 0x9F : 0xBF;
    return in_range(byte(1), first, last) && tail(2) ? 3 : 0;
  }
  if (in_range(lead, 0xF0, 0xF4)) {
    const std::uint8_t first = lead == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t last = lead == 0xF4 ? 0x8F : 0xBF;
    return in_range(byte(1), first, last) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string to_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    if (length == 0) {
      text += "\xEF\xBF\xBD";
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

}  // namespace daybook
