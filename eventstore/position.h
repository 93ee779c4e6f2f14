#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace daybook::eventstore {

/// A public position: `[<generation>.]<partition>:<position>`, the generation left out while it is
/// 0 (api.md). An event's position is its place in the log; a read "at" a position has seen it.
struct PublicPosition {
  std::uint32_t generation = 0;
  std::uint32_t partition = 0;
  std::uint64_t position = 0;

  bool operator==(const PublicPosition&) const = default;
};

std::string to_text(const PublicPosition& position);

/// Nothing for any text that to_text would not have written, and for the greatest number.
std::optional<PublicPosition> parse_position(std::string_view text);

}  // namespace daybook::eventstore
