#include "eventstore/event_id.h"

#include <array>

#include "domain/base/check.h"
#include "eventstore/digest.h"
#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

constexpr int kVersionBits = 40;
static_assert(kEventVersionEnd == std::uint64_t{1} << kVersionBits);
constexpr std::size_t kTextSize = 36;
/// Bytes 11 to 15 of the UUID are the version, big-endian.
constexpr std::size_t kVersionAt = 11;

std::array<std::uint8_t, 16> uuid_of(const domain::StreamId& stream, std::uint64_t version) {
  std::string framed;
  WireWriter wire(framed);
  wire.text(stream.tenant.value());
  wire.fixed8(static_cast<std::uint8_t>(stream.kind));
  wire.text(stream.id);
  const Hash hash = sha256({"daybook/event-id/1", framed});
  std::array<std::uint8_t, 16> uuid{};
  for (std::size_t i = 0; i < kVersionAt; ++i) uuid[i] = hash[i];
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0FU) | 0x80U);  // version 8
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3FU) | 0x80U);  // RFC 9562 variant
  for (std::size_t i = kVersionAt; i < uuid.size(); ++i) {
    uuid[i] = static_cast<std::uint8_t>(version >> (8 * (uuid.size() - 1 - i)));
  }
  return uuid;
}

std::string text_of(const std::array<std::uint8_t, 16>& uuid) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(kTextSize);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kDigits[uuid[i] >> 4]);
    text.push_back(kDigits[uuid[i] & 0x0F]);
  }
  return text;
}

}  // namespace

std::string event_id(const domain::StreamId& stream, std::uint64_t version) {
  CHECK(version < kEventVersionEnd);
  return text_of(uuid_of(stream, version));
}

std::optional<std::uint64_t> version_in(const domain::StreamId& stream, std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  std::uint64_t version = 0;
  // The last ten hexadecimal digits: all of the version and nothing else.
  for (const char digit : text.substr(kTextSize - kVersionBits / 4)) {
    if (digit >= '0' && digit <= '9') {
      version = version << 4 | static_cast<std::uint64_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      version = version << 4 | static_cast<std::uint64_t>(digit - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  if (version == 0 || event_id(stream, version) != text) return std::nullopt;
  return version;
}

}  // namespace daybook::eventstore
