#include "api/focus_row.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>

#include "api/json_flat.h"
#include "domain/base/check.h"
#include "domain/base/utf8.h"
#include "eventstore/digest.h"

namespace daybook::api {
namespace {

constexpr std::string_view kTagPrefix = "tag.";

bool is_null(std::string_view text) { return text.empty() || text == "NULL"; }

/// A value fit for a message on one line: its beginning, control bytes shown as `?`.
std::string shown(std::string_view value) {
  constexpr std::size_t kMost = 60;
  std::string text(value.substr(0, kMost));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  // Cutting may split a character.
  while (!text.empty() && !is_utf8(text)) text.pop_back();
  return "'" + text + (value.size() > kMost ? "…'" : "'");
}

std::string too_long(std::size_t size, std::size_t most) {
  return "has " + std::to_string(size) + " bytes, at most " + std::to_string(most) + " are allowed";
}

void append_hex(std::string& text, unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text += kDigits[byte >> 4];
  text += kDigits[byte & 0x0fU];
}

bool is_letter_or_digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// FOCUS times are UTC. RFC 3339, and what exporters write besides: a space for the T, no zone, no
/// seconds ("2024-09-01T00:00Z").
std::optional<Instant> parse_focus_time(std::string_view text) {
  if (text.size() < 16) return std::nullopt;
  std::string normal(text);
  if (normal[10] == ' ') normal[10] = 'T';
  if (normal.size() == 16 || normal[16] != ':') normal.insert(16, ":00");
  if (normal.find_first_of("Zz+-", 16) == std::string::npos) normal += 'Z';
  return parse_rfc3339(normal);
}

void append_framed(std::string& framed, std::string_view text) {
  const auto size = static_cast<std::uint64_t>(text.size());
  for (unsigned shift = 0; shift < 64; shift += 8) {
    framed += static_cast<char>(static_cast<unsigned char>(size >> shift));
  }
  framed += text;
}

Status header_error(const FocusField& field, std::size_t place, const std::string& message) {
  return invalid("line " + std::to_string(field.line) + ", column " + std::to_string(place + 1) +
                 " of the header: " + message);
}

}  // namespace

struct FocusRowBuilder::RoleName {
  std::string_view name;
  Role role;
  bool required;
};

constexpr std::array<FocusRowBuilder::RoleName, 7> FocusRowBuilder::kRoles = {{
    {"BilledCost", Role::kBilledCost, true},
    {"BillingAccountId", Role::kBillingAccountId, true},
    {"BillingCurrency", Role::kBillingCurrency, true},
    {"ChargePeriodStart", Role::kChargePeriodStart, true},
    {"ChargeDescription", Role::kChargeDescription, false},
    {"ServiceName", Role::kServiceName, false},
    {"Tags", Role::kTags, false},
}};

std::string to_text(const FocusRowError& error) {
  return "line " + std::to_string(error.line) + ", column " + error.column + ": " + error.message;
}

Result<std::string> focus_account_id(std::string_view billing_account_id) {
  if (billing_account_id.empty()) return invalid("is empty");
  std::string id;
  for (const char c : billing_account_id) {
    const bool kept_inside = c == '.' || c == '_' || c == '+' || c == '-';
    if (is_letter_or_digit(c) || (kept_inside && !id.empty())) {
      id += c;
    } else {
      id += ':';
      append_hex(id, static_cast<unsigned char>(c));
    }
    if (id.size() > kFocusMaxAccountBytes) {
      return invalid("is longer than " + std::to_string(kFocusMaxAccountBytes) +
                     " bytes as an account id");
    }
  }
  return id;
}

Result<FocusRowBuilder> FocusRowBuilder::from_header(const std::vector<FocusField>& names) {
  CHECK(!names.empty());
  FocusRowBuilder builder;
  for (std::size_t place = 0; place < names.size(); ++place) {
    const std::string_view name = names[place].text;
    if (place >= kFocusMaxColumns) return header_error(names[place], place, "too many columns");
    if (name.empty()) return header_error(names[place], place, "no name");
    if (!is_utf8(name)) return header_error(names[place], place, "not UTF-8");
    if (name.size() > kFocusMaxNameBytes) {
      return header_error(names[place], place, "name " + too_long(name.size(), kFocusMaxNameBytes));
    }
    if (name.starts_with(kTagPrefix)) {
      return header_error(names[place], place, shown(name) + " would be taken for a tag");
    }
    const auto known = std::find_if(kRoles.begin(), kRoles.end(),
                                    [&](const RoleName& role) { return role.name == name; });
    builder.names_.emplace_back(name);
    builder.roles_.push_back(known == kRoles.end() ? Role::kAttribute : known->role);
  }
  builder.by_name_.resize(names.size());
  std::iota(builder.by_name_.begin(), builder.by_name_.end(), std::size_t{0});
  std::sort(builder.by_name_.begin(), builder.by_name_.end(),
            [&](std::size_t a, std::size_t b) { return builder.names_[a] < builder.names_[b]; });
  for (std::size_t i = 1; i < builder.by_name_.size(); ++i) {
    const std::size_t place = std::max(builder.by_name_[i - 1], builder.by_name_[i]);
    if (builder.names_[builder.by_name_[i - 1]] == builder.names_[builder.by_name_[i]]) {
      return header_error(names[place], place, shown(names[place].text) + " comes twice");
    }
  }
  for (const RoleName& role : kRoles) {
    if (role.required && std::find(builder.roles_.begin(), builder.roles_.end(), role.role) ==
                             builder.roles_.end()) {
      return invalid("line " + std::to_string(names.front().line) + ", column " +
                     std::string(role.name) + ": missing from the header");
    }
  }
  return builder;
}

std::string FocusRowBuilder::column_name(std::size_t place) const {
  return place < names_.size() ? names_[place] : "#" + std::to_string(place + 1);
}

std::variant<FocusRow, FocusRowError> FocusRowBuilder::build(const std::vector<FocusField>& fields,
                                                             std::size_t field_count) {
  CHECK(!fields.empty());
  if (field_count != names_.size()) {
    return FocusRowError{fields.back().line, column_name(std::min(field_count, names_.size())),
                         "the row has " + std::to_string(field_count) + " fields, the header has " +
                             std::to_string(names_.size())};
  }
  FocusRow row;
  row.line = fields.front().line;
  attribute_bytes_ = 0;
  for (std::size_t place = 0; place < fields.size(); ++place) {
    const FocusField& field = fields[place];
    std::optional<std::string> wrong;
    if (field.text.find('\0') != std::string_view::npos || !is_utf8(field.text)) {
      wrong = "is not UTF-8 text";
    } else {
      wrong = read_field(place, field.text, row);
    }
    if (wrong) return FocusRowError{field.line, names_[place], std::move(*wrong)};
  }
  row.key = key_of(fields);
  return row;
}

std::optional<std::string> FocusRowBuilder::read_field(std::size_t place, std::string_view text,
                                                       FocusRow& row) {
  const Role role = roles_[place];
  if (is_null(text)) {
    const auto known = std::find_if(kRoles.begin(), kRoles.end(),
                                    [&](const RoleName& entry) { return entry.role == role; });
    if (known != kRoles.end() && known->required) return "is empty";
    return std::nullopt;
  }
  switch (role) {
    case Role::kBilledCost: {
      const auto cost = domain::parse_amount(text);
      if (!cost) {
        return shown(text) + " is not a plain decimal of at most " +
               std::to_string(domain::kAmountIntegerDigits) + " digits and " +
               std::to_string(domain::kAmountDecimals) + " decimals";
      }
      row.cost = *cost;
      return std::nullopt;
    }
    case Role::kBillingAccountId: {
      auto id = focus_account_id(text);
      if (!id.ok()) return id.status().message();
      row.account_id = *std::move(id);
      row.original_account_id = text;
      return add_attribute(names_[place], text, row);
    }
    case Role::kBillingCurrency: {
      const auto currency = domain::Currency::parse(text);
      if (!currency) return shown(text) + " is not an ISO 4217 currency code";
      row.currency = *currency;
      return std::nullopt;
    }
    case Role::kChargePeriodStart: {
      const auto start = parse_focus_time(text);
      if (!start) return shown(text) + " is not a time as YYYY-MM-DD HH:MM:SS or RFC 3339";
      row.charge_period_start = *start;
      return std::nullopt;
    }
    case Role::kChargeDescription:
    case Role::kServiceName: {
      if (text.size() > kFocusMaxValueBytes) return too_long(text.size(), kFocusMaxValueBytes);
      (role == Role::kServiceName ? row.service_name : row.description) = text;
      return std::nullopt;
    }
    case Role::kTags:
      return add_tags(text, row);
    case Role::kAttribute:
      return add_attribute(names_[place], text, row);
  }
  CHECK(false);
  return std::nullopt;
}

std::optional<std::string> FocusRowBuilder::add_attribute(std::string name, std::string_view value,
                                                          FocusRow& row) {
  if (value.size() > kFocusMaxValueBytes) return too_long(value.size(), kFocusMaxValueBytes);
  attribute_bytes_ += name.size() + value.size();
  if (attribute_bytes_ > kFocusMaxAttributeBytes) {
    return "brings the attributes of the row over " + std::to_string(kFocusMaxAttributeBytes) +
           " bytes";
  }
  row.attributes.push_back({std::move(name), std::string(value)});
  return std::nullopt;
}

std::optional<std::string> FocusRowBuilder::add_tags(std::string_view text, FocusRow& row) {
  auto tags = parse_flat_json_object(text);
  if (!tags.ok()) return tags.status().message();
  for (const FlatMember& tag : *tags) {
    std::string name = std::string(kTagPrefix) + tag.name;
    if (name.size() > kFocusMaxNameBytes) {
      return "attribute name " + shown(name) + " " + too_long(name.size(), kFocusMaxNameBytes);
    }
    if (auto wrong = add_attribute(std::move(name), tag.value, row)) {
      return "tag " + shown(tag.name) + " " + *wrong;
    }
  }
  return std::nullopt;
}

std::string FocusRowBuilder::key_of(const std::vector<FocusField>& fields) {
  framed_.clear();
  for (const std::size_t place : by_name_) {
    append_framed(framed_, names_[place]);
    append_framed(framed_, fields[place].text);
  }
  const auto digest = eventstore::sha256({framed_});
  RowHash hash{};
  static_assert(sizeof(hash) <= sizeof(digest));
  std::memcpy(hash.data(), digest.data(), sizeof(hash));
  std::string key = "focus:";
  for (const unsigned char byte : std::span(digest).first<sizeof(hash)>()) append_hex(key, byte);
  return key + ":" + std::to_string(++seen_[hash]);
}

}  // namespace daybook::api
