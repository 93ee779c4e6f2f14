#include <string>
#include <string_view>
#include <variant>

#include "api/json_flat.h"
#include "api/json_reader.h"
#include "domain/base/utf8.h"
#include "tests/fuzz/plain_json.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {

/// One JSON text. Three readers agree: the one of request bodies, that of flat objects, and a plain
/// one of the fuzzers' own; the canonical text is a fixed point.
void json(std::string_view bytes) {
  const api::JsonLimits limits;
  const auto plain = read_plain_json(bytes, limits.depth);
  const auto parsed = api::parse_json(bytes, limits);
  if (const auto* error = std::get_if<api::JsonError>(&parsed)) {
    if (error->kind != api::JsonErrorKind::kTooMany) {
      require(!plain.has_value(), "what the plain reader reads is accepted");
    }
    require(error->offset <= bytes.size(), "an error lies within the text");
    require(!error->detail.empty() && is_utf8(error->detail), "an error says what is wrong");
  } else {
    require(plain.has_value(), "what the plain reader refuses is refused");
    const std::string canonical = api::canonical_text(std::get<api::JsonValue>(parsed));
    require(canonical == plain->canonical, "both readers read the same value");
    require(is_utf8(canonical), "the canonical text is UTF-8");
    const auto again = api::parse_json(canonical, limits);
    require(std::holds_alternative<api::JsonValue>(again), "the canonical text is JSON");
    require(api::canonical_text(std::get<api::JsonValue>(again)) == canonical,
            "the canonical text of a canonical text is itself");
  }
  const auto flat = api::parse_flat_json_object(bytes);
  require(flat.ok() == (plain.has_value() && plain->is_flat_object),
          "the reader of flat objects takes those and no others");
  if (!flat.ok()) return;
  require(flat->size() == plain->members.size(), "a flat object has as many members");
  for (std::size_t i = 0; i < flat->size(); ++i) {
    require((*flat)[i].name == plain->members[i].first, "a member keeps its name");
    require((*flat)[i].value == plain->members[i].second, "a member keeps its value");
  }
}

}  // namespace daybook::fuzz
