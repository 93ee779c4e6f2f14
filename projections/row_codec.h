#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/base/check.h"
#include "domain/base/int128.h"
#include "domain/base/strong_id.h"
#include "domain/money.h"
#include "eventstore/wire.h"

/// Private to this folder: the pieces that keys and rows of the read models are made of. Rows are
/// derived: a change of their form raises the projection's code version and nothing else.
namespace daybook::projections {

/// `tenant NUL`: the rows of one tenant. REQUIRES: a tenant without NUL.
inline std::string tenant_prefix(const TenantId& tenant) {
  CHECK(!tenant.empty() && tenant.value().find('\0') == std::string::npos);
  std::string key = tenant.value();
  key.push_back('\0');
  return key;
}

/// `tenant NUL account NUL`. REQUIRES: neither holds a NUL.
inline std::string account_prefix(const TenantId& tenant, std::string_view account) {
  CHECK(account.find('\0') == std::string_view::npos);
  std::string key = tenant_prefix(tenant);
  key += account;
  key.push_back('\0');
  return key;
}

/// The first key after all that begin with `prefix`. REQUIRES: it ends in NUL.
inline std::string end_of_prefix(std::string prefix) {
  CHECK(!prefix.empty() && prefix.back() == '\0');
  prefix.back() = '\1';
  return prefix;
}

/// Big-endian with the sign flipped, so that numbers sort as keys.
inline void append_sortable(std::string& key, std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(bits >> shift));
}

/// REQUIRES: eight bytes that append_sortable wrote.
inline std::int64_t read_sortable(std::string_view bytes) {
  CHECK(bytes.size() == sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  for (const char byte : bytes) bits = bits << 8 | static_cast<std::uint8_t>(byte);
  return static_cast<std::int64_t>(bits ^ (std::uint64_t{1} << 63));
}

inline void write_signed(eventstore::WireWriter& wire, int128 value) {
  wire.varint128((static_cast<uint128>(value) << 1) ^ static_cast<uint128>(value >> 127));
}
inline int128 read_signed(eventstore::WireReader& wire) {
  const uint128 coded = wire.varint128();
  return static_cast<int128>((coded >> 1) ^ (~(coded & 1) + 1));
}

inline void write_amount(eventstore::WireWriter& wire, domain::Amount amount) {
  write_signed(wire, amount.units);
}
inline domain::Amount read_amount(eventstore::WireReader& wire) { return {read_signed(wire)}; }

/// One byte, 0 or 1.
inline bool read_flag(eventstore::WireReader& wire) {
  const std::uint8_t flag = wire.fixed8();
  if (flag > 1) wire.fail();
  return flag == 1;
}

inline void write_optional_text(eventstore::WireWriter& wire,
                                const std::optional<std::string>& text) {
  wire.fixed8(text ? 1 : 0);
  if (text) wire.text(*text);
}
inline std::optional<std::string> read_optional_text(eventstore::WireReader& wire) {
  if (!read_flag(wire)) return std::nullopt;
  return std::string(wire.text());
}

}  // namespace daybook::projections
