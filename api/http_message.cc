#include "api/http_message.h"

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "domain/base/check.h"

namespace daybook::api {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

bool same_token(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

std::string media_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ')) type.pop_back();
  for (char& c : type) c = lower(c);
  return type;
}

bool is_utf8_media(std::string_view content_type) {
  const std::size_t parameters = content_type.find(';');
  if (parameters == std::string_view::npos) return true;
  std::string rest;
  for (const char c : content_type.substr(parameters)) {
    if (c != ' ' && c != '\t' && c != '"') rest += lower(c);
  }
  const std::size_t at = rest.find(";charset=");
  if (at == std::string::npos) return true;
  const std::string_view charset = std::string_view(rest).substr(at + std::strlen(";charset="));
  return charset.substr(0, charset.find(';')) == "utf-8";
}

void HttpHeaders::add(std::string_view name, std::string_view value) {
  Field field;
  field.name_at = text_.size();
  field.value_at = field.name_at + name.size();
  field.end = field.value_at + value.size();
  text_.append(name).append(value);
  fields_.push_back(field);
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): counts of different things, one caller.
void HttpHeaders::reserve(std::size_t fields, std::size_t header_bytes) {
  fields_.reserve(fields);
  text_.reserve(header_bytes);
}

std::optional<std::string_view> HttpHeaders::find(std::string_view name) const {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const auto [field_name, value] = at(i);
    if (same_token(field_name, name)) return value;
  }
  return std::nullopt;
}

std::pair<std::string_view, std::string_view> HttpHeaders::at(std::size_t index) const {
  CHECK(index < fields_.size());
  const Field& field = fields_[index];
  const std::string_view text = text_;
  return {text.substr(field.name_at, field.value_at - field.name_at),
          text.substr(field.value_at, field.end - field.value_at)};
}

}  // namespace daybook::api
