#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "domain/base/int128.h"

namespace daybook::eventstore {

/// Writes the primitive forms of docs/stored_format.md: little-endian fixed integers and minimal
/// LEB128 varints. Appends to a string it does not own.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  void fixed8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void fixed32(std::uint32_t value) { fixed(value); }
  void fixed64(std::uint64_t value) { fixed(value); }

  void varint(std::uint64_t value) { varint_of(value); }
  void varint128(uint128 value) { varint_of(value); }

  void raw(std::string_view bytes) { out_.append(bytes); }
  /// Length as a varint, then the bytes.
  void text(std::string_view bytes) {
    varint(bytes.size());
    raw(bytes);
  }

 private:
  template <class Integer>
  void fixed(Integer value) {
    std::array<char, sizeof(Integer)> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    out_.append(bytes.data(), bytes.size());
  }

  template <class Integer>
  void varint_of(Integer value) {
    std::array<char, (8 * sizeof(Integer) + 6) / 7> bytes;
    std::size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
      bytes[size++] = static_cast<char>(static_cast<std::uint8_t>(value) | 0x80U);
    }
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes.data(), size);
  }

  std::string& out_;
};

/// Reads what WireWriter wrote, from bytes that may be anything. After the first failure every read
/// gives zero or empty and ok() stays false; lengths are checked before anything is allocated, and
/// a varint that is longer than it must be is a failure, so that one value has one encoding.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t remaining() const { return rest_.size(); }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::uint8_t fixed8() { return static_cast<std::uint8_t>(fixed<std::uint8_t>()); }
  std::uint32_t fixed32() { return fixed<std::uint32_t>(); }
  std::uint64_t fixed64() { return fixed<std::uint64_t>(); }

  std::uint64_t varint() { return varint_of<std::uint64_t>(); }
  uint128 varint128() { return varint_of<uint128>(); }

  std::string_view raw(std::size_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view text() { return raw(static_cast<std::size_t>(varint())); }

 private:
  template <class Integer>
  Integer fixed() {
    const std::string_view bytes = raw(sizeof(Integer));
    Integer value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value = static_cast<Integer>(
          value | (static_cast<Integer>(static_cast<std::uint8_t>(bytes[i])) << (8 * i)));
    }
    return value;
  }

  template <class Integer>
  Integer varint_of() {
    constexpr int bits = 8 * sizeof(Integer);
    Integer value = 0;
    for (int shift = 0; shift < bits; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      const int room = bits - shift;
      if (room < 7 && (byte & 0x7FU) >> room != 0) break;
      value |= static_cast<Integer>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) {
        if (byte == 0 && shift > 0) break;
        return value;
      }
    }
    fail();
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace daybook::eventstore
