#include "api/query_params.h"

#include <algorithm>
#include <charconv>

#include "api/body_reader.h"
#include "domain/base/utf8.h"

namespace daybook::api {
namespace {

constexpr std::size_t kLimitDefault = 50;
constexpr std::size_t kLimitMax = 1'000;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// REQUIRES: every escape is well formed (the gate refuses others).
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
        hex_value(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

bool is_tag_name(std::string_view name) { return name.starts_with("tag[") && name.ends_with(']'); }

bool is_allowed(std::string_view name, std::span<const std::string_view> allowed) {
  if (is_tag_name(name)) name = "tag[]";
  return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
}

FieldError error_at(std::string_view name, std::string detail) {
  return {"", std::move(detail), std::string(name)};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> QueryParams::split(std::string_view raw_query) {
  std::vector<std::pair<std::string, std::string>> items;
  while (!raw_query.empty()) {
    const std::size_t end = std::min(raw_query.find('&'), raw_query.size());
    const std::string_view item = raw_query.substr(0, end);
    raw_query.remove_prefix(std::min(end + 1, raw_query.size()));
    if (item.empty()) continue;
    const std::size_t equals = std::min(item.find('='), item.size());
    items.emplace_back(percent_decoded(item.substr(0, equals)),
                       percent_decoded(item.substr(std::min(equals + 1, item.size()))));
  }
  return items;
}

std::variant<QueryParams, std::vector<FieldError>> QueryParams::parse(
    std::string_view raw_query, std::span<const std::string_view> allowed) {
  QueryParams params;
  std::vector<FieldError> errors;
  for (auto& [name, value] : split(raw_query)) {
    if (!is_utf8(name) || !is_utf8(value)) {
      errors.push_back(error_at("", "the query is not UTF-8"));
    } else if (!is_allowed(name, allowed)) {
      errors.push_back(error_at(name, "unknown parameter"));
    } else if (params.find(name)) {
      errors.push_back(error_at(name, "given twice"));
    } else {
      params.values_.emplace_back(std::move(name), std::move(value));
    }
  }
  if (!errors.empty()) return errors;
  return params;
}

std::optional<std::string> QueryParams::find(std::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> QueryParams::tags() const {
  std::vector<std::pair<std::string, std::string>> tags;
  for (const auto& [name, value] : values_) {
    if (is_tag_name(name)) tags.emplace_back(name.substr(4, name.size() - 5), value);
  }
  return tags;
}

std::optional<Instant> QueryParams::instant(std::string_view name,
                                            std::vector<FieldError>& errors) const {
  const auto text = find(name);
  if (!text) return std::nullopt;
  const auto instant = parse_utc(*text);
  if (!instant)
    errors.push_back(error_at(name, "must be a time in UTC such as 2026-01-31T10:00:00Z"));
  return instant;
}

std::optional<domain::Currency> QueryParams::currency(std::string_view name,
                                                      std::vector<FieldError>& errors) const {
  const auto text = find(name);
  if (!text) return std::nullopt;
  const auto currency = domain::Currency::parse(*text);
  if (!currency) errors.push_back(error_at(name, "must be an ISO 4217 currency code"));
  return currency;
}

std::size_t QueryParams::limit(std::vector<FieldError>& errors) const {
  const auto text = find("limit");
  if (!text) return kLimitDefault;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < 1 ||
      value > kLimitMax) {
    errors.push_back(error_at("limit", "must be a number from 1 to 1000"));
    return kLimitDefault;
  }
  return value;
}

}  // namespace daybook::api
