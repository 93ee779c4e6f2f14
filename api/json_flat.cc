#include "api/json_flat.h"

#include <optional>
#include <utility>
#include <variant>

#include "api/json_reader.h"

namespace daybook::api {
namespace {

Status refusal_of(const JsonError& error) {
  if (error.kind == JsonErrorKind::kTooDeep) return invalid("holds a nested value");
  const bool is_empty = error.kind == JsonErrorKind::kEmpty;
  return invalid("is not JSON: " + (is_empty ? "it is empty" : error.detail));
}

/// Nothing for an array or an object.
std::optional<std::string> plain_text(const JsonValue& value) {
  if (value.is_null()) return "";
  if (const bool* truth = value.boolean()) return *truth ? "true" : "false";
  if (const auto* number = value.number()) return number->text;
  if (const auto* text = value.string()) return *text;
  return std::nullopt;
}

}  // namespace

Result<std::vector<FlatMember>> parse_flat_json_object(std::string_view text) {
  const auto parsed = parse_json(text);
  if (const auto* error = std::get_if<JsonError>(&parsed)) return refusal_of(*error);
  const auto* object = std::get<JsonValue>(parsed).object();
  if (object == nullptr) return invalid("is not an object");
  std::vector<FlatMember> members;
  members.reserve(object->size());
  for (const JsonMember& member : *object) {
    auto value = plain_text(member.value);
    if (!value) {
      return invalid(member.value.array() != nullptr ? "holds an array" : "holds a nested object");
    }
    members.push_back({member.name, std::move(*value)});
  }
  return members;
}

}  // namespace daybook::api
