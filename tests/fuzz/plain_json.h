#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace daybook::fuzz {

/// What a second reader of JSON (RFC 8259) makes of a text: written for the fuzzers from the RFC
/// alone, with nothing in common with api/json_reader.h or the library behind it.
struct PlainJson {
  std::string canonical;  ///< Members in the order of RFC 8785, numbers as written, no spaces.
  bool is_flat_object = false;  ///< An object without objects and arrays in it.
  /// Of a flat object: names and values in their order, as parse_flat_json_object gives them.
  std::vector<std::pair<std::string, std::string>> members;
};

/// Nothing for what is no JSON, and for what Daybook refuses besides: a NUL, a byte order mark,
/// what is not Unicode, a name twice in an object, more than `depth` arrays and objects around a
/// value.
std::optional<PlainJson> read_plain_json(std::string_view text, std::size_t depth);

}  // namespace daybook::fuzz
