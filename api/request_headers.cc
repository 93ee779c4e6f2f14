#include "api/request_headers.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace daybook::api {

bool is_idempotency_key(std::string_view text) {
  constexpr std::size_t kMax = 255;
  return !text.empty() && text.size() <= kMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<std::uint64_t> parse_if_match(std::string_view text) {
  if (text.size() < 3 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  if (text.size() > 1 && text.front() == '0') return std::nullopt;  // no tag of ours
  std::uint64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return version;
}

}  // namespace daybook::api
