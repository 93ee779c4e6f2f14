#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace daybook::eventstore {

/// 32 bytes of SHA-256.
using Hash = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4) of the parts, as if they were one string.
/// Thread rule: any thread; contexts are per thread.
Hash sha256(std::initializer_list<std::string_view> parts);

/// HMAC-SHA-256 (RFC 2104).
Hash hmac_sha256(std::string_view key, std::string_view message);

/// Lower-case hexadecimal.
std::string to_hex(std::string_view bytes);
std::string to_hex(const Hash& hash);

inline std::string_view bytes_of(const Hash& hash) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are bytes.
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace daybook::eventstore
