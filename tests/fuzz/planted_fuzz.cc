#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

/// A reader of little-endian varints that takes superfluous zero bytes, as the real one
/// (eventstore/wire.h) does not.
std::uint64_t read_loose_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 63 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) break;
  }
  return value;
}

}  // namespace

/// Two planted faults: `DBK1V` and a varint that is longer than it must be (a property), `DBK1M`
/// and a length that is believed (memory).
void planted(std::string_view bytes) {
  if (!bytes.starts_with("DBK1") || bytes.size() < 6) return;
  const char kind = bytes[4];
  bytes.remove_prefix(5);
  if (kind == 'V') {
    const std::size_t before = bytes.size();
    std::uint64_t value = read_loose_varint(bytes);
    std::size_t size = 1;
    for (; value >= 0x80; value >>= 7) ++size;
    require(size == before - bytes.size(), "a varint is no longer than it must be");
  } else if (kind == 'M') {
    const auto length = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    const auto copy = std::make_unique<char[]>(bytes.size() + 1);
    for (std::size_t i = 0; i < length; ++i) copy[i] = 'x';
    require(copy[0] == 'x' || length == 0, "what is written is there");
  }
}

}  // namespace daybook::fuzz
