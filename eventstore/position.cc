#include "eventstore/position.h"

#include <charconv>

namespace daybook::eventstore {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string to_text(const PublicPosition& position) {
  std::string text;
  if (position.generation != 0) text += std::to_string(position.generation) + ".";
  return text + std::to_string(position.partition) + ":" + std::to_string(position.position);
}

std::optional<PublicPosition> parse_position(std::string_view text) {
  PublicPosition result;
  const std::size_t dot = text.find('.');
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  if (dot != std::string_view::npos) {
    if (dot > colon) return std::nullopt;
    const auto generation = parse_number<std::uint32_t>(text.substr(0, dot));
    if (!generation) return std::nullopt;
    result.generation = *generation;
  }
  const std::size_t partition_at = dot == std::string_view::npos ? 0 : dot + 1;
  const auto partition =
      parse_number<std::uint32_t>(text.substr(partition_at, colon - partition_at));
  const auto position = parse_number<std::uint64_t>(text.substr(colon + 1));
  // No event can have the last number: "after it" has to be one as well.
  if (!partition || !position || *position == UINT64_MAX) return std::nullopt;
  result.partition = *partition;
  result.position = *position;
  // One text for one position: no leading zeros, no "0." generation.
  if (to_text(result) != text) return std::nullopt;
  return result;
}

}  // namespace daybook::eventstore
