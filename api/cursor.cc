#include "api/cursor.h"

#include <array>
#include <cstdint>

#include <openssl/crypto.h>

#include "eventstore/digest.h"
#include "eventstore/wire.h"

namespace daybook::api {
namespace {

constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kCursorTextMax = 1'024;
constexpr std::size_t kPartsMax = 16;
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string to_base64url(std::string_view bytes) {
  std::string text;
  std::uint32_t pending = 0;
  int bits = 0;
  for (const char byte : bytes) {
    pending = pending << 8 | static_cast<std::uint8_t>(byte);
    bits += 8;
    for (; bits >= 6; bits -= 6) text.push_back(kAlphabet[pending >> (bits - 6) & 63U]);
  }
  if (bits > 0) text.push_back(kAlphabet[pending << (6 - bits) & 63U]);
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string bytes;
  std::uint32_t pending = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    pending = pending << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>(pending >> bits));
    }
  }
  // One text for one value: no spare bits.
  if (to_base64url(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace

std::string CursorCodec::mac(std::string_view scope, std::string_view payload) const {
  std::string framed;
  eventstore::WireWriter wire(framed);
  wire.text(scope);
  wire.raw(payload);
  const auto hash = eventstore::hmac_sha256(secret_, framed);
  return std::string(eventstore::bytes_of(hash).substr(0, kMacBytes));
}

std::string CursorCodec::encode(std::string_view scope,
                                const std::vector<std::string>& parts) const {
  std::string payload;
  eventstore::WireWriter wire(payload);
  for (const auto& part : parts) wire.text(part);
  return to_base64url(mac(scope, payload) + payload);
}

std::optional<std::vector<std::string>> CursorCodec::decode(std::string_view scope,
                                                            std::string_view cursor) const {
  if (cursor.size() > kCursorTextMax) return std::nullopt;
  const auto bytes = from_base64url(cursor);
  if (!bytes || bytes->size() < kMacBytes) return std::nullopt;
  const std::string_view payload = std::string_view(*bytes).substr(kMacBytes);
  const std::string expected = mac(scope, payload);
  if (CRYPTO_memcmp(expected.data(), bytes->data(), kMacBytes) != 0) return std::nullopt;
  std::vector<std::string> parts;
  eventstore::WireReader wire(payload);
  while (!wire.at_end() && wire.ok() && parts.size() < kPartsMax) parts.emplace_back(wire.text());
  if (!wire.ok() || !wire.at_end()) return std::nullopt;
  return parts;
}

}  // namespace daybook::api
