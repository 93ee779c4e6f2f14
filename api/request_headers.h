#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// What the headers of a write request may say. Pure functions; any thread.
namespace daybook::api {

/// Whether the text can be an idempotency key: 1 to 255 visible ASCII characters.
bool is_idempotency_key(std::string_view text);

/// The version in an If-Match header (RFC 9110 section 13.1.1): one strong entity tag as answers
/// give it, `"12"`. Nothing for any other text, `*` and `"012"` included.
std::optional<std::uint64_t> parse_if_match(std::string_view text);

}  // namespace daybook::api
