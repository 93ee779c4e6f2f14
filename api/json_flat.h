#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/base/result.h"

namespace daybook::api {

struct FlatMember {
  std::string name;
  std::string value;
};

/// Reads one JSON object (RFC 8259) of plain values, in its order: strings unescaped, numbers as
/// they are written, `true` and `false` as words, `null` as the empty string.
/// Invalid: anything else in the text, a nested object or array, a name that comes twice, a string
/// with a NUL or half a surrogate pair, more than the members of JsonLimits (api/json_reader.h).
/// Stack use does not grow with the text.
/// Thread rule: any thread.
Result<std::vector<FlatMember>> parse_flat_json_object(std::string_view text);

}  // namespace daybook::api
