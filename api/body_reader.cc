#include "api/body_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/card_rule.h"

namespace daybook::api {
namespace {

/// sources.md A.2: names under which clients keep secrets; case does not make them another thing.
constexpr std::array<std::string_view, 5> kProtectedTags = {"password", "os", "hostname",
                                                            "root_pass", "rootpassword"};

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_control(char c) { return (c >= 0 && c < 0x20) || c == 0x7F; }
bool is_one_of(char c, std::string_view characters) {
  return characters.find(c) != std::string_view::npos;
}
template <class Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

bool is_protected(std::string_view tag) {
  std::string lower(tag);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(kProtectedTags.begin(), kProtectedTags.end(), lower) != kProtectedTags.end();
}

/// What the characters are, if they are wrong; lengths have been looked at.
std::optional<std::string> charset_fault(std::string_view text, Charset charset) {
  const auto unless = [](bool fine, std::string detail) {
    return fine ? std::nullopt : std::optional(std::move(detail));
  };
  switch (charset) {
    case Charset::kText:
      return unless(std::none_of(text.begin(), text.end(), is_control),
                    "must not hold control characters");
    case Charset::kVisibleAscii:
      return unless(all_of(text, [](char c) { return c > ' ' && c < 0x7F; }),
                    "must be visible ASCII characters without spaces");
    case Charset::kId:
      return unless(
          (text.empty() || is_alphanumeric(text[0]) || text[0] == ':') &&
              all_of(text, [](char c) { return is_alphanumeric(c) || is_one_of(c, "._+:-"); }),
          "must be of A-Z, a-z, 0-9 and ._+:- and begin with a letter, a digit or a colon");
    case Charset::kProvider:
      return unless(all_of(text, [](char c) { return is_alphanumeric(c) || is_one_of(c, "._-"); }),
                    "must be of A-Z, a-z, 0-9 and ._-");
    case Charset::kTagName:
      if (is_protected(text)) return "is a protected name: secrets must not enter the log";
      return unless(all_of(text, [](char c) { return is_alphanumeric(c) || is_one_of(c, "_-"); }),
                    "must be of A-Z, a-z, 0-9 and _-");
    case Charset::kTenantId:
      return unless((text.empty() || text[0] != '-') && all_of(text,
                                                               [](char c) {
                                                                 return (c >= 'a' && c <= 'z') ||
                                                                        (c >= '0' && c <= '9') ||
                                                                        c == '-';
                                                               }),
                    "must be of a-z, 0-9 and - and not begin with -");
  }
  return std::nullopt;
}

std::string in_quotes_or(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) text += i + 1 == words.size() ? " or " : ", ";
    text += "\"" + std::string(words[i]) + "\"";
  }
  return text;
}

}  // namespace

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): in the order of the result.
std::string pointer_into(std::string_view parent, std::string_view name) {
  std::string pointer(parent);
  pointer.push_back('/');
  for (const char c : name) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer.push_back(c);
    }
  }
  return pointer;
}

std::optional<TextFault> fault_of(std::string_view text, const TextRule& rule) {
  if (text.size() < rule.min_bytes) return TextFault{"must not be empty"};
  if (text.size() > rule.max_bytes) {
    return TextFault{"must have at most " + std::to_string(rule.max_bytes) + " bytes of UTF-8"};
  }
  if (auto fault = charset_fault(text, rule.charset)) return TextFault{std::move(*fault)};
  if (rule.no_card && looks_like_card_number(text)) {
    return TextFault{"looks like a card number", true};
  }
  return std::nullopt;
}

std::optional<Instant> parse_utc(std::string_view text) {
  constexpr std::size_t kTimeMark = 10;
  if (text.size() <= kTimeMark || text[kTimeMark] != 'T' || text.back() != 'Z') return std::nullopt;
  return parse_rfc3339(text);
}

BodyReader::BodyReader(const JsonValue& value, InputErrors& errors, std::string pointer)
    : value_(value), errors_(errors), pointer_(std::move(pointer)) {
  if (value_.object() == nullptr) errors_.at(pointer_, "must be an object");
}

std::string BodyReader::pointer_to(std::string_view name) const {
  return pointer_into(pointer_, name);
}

const JsonValue* BodyReader::member(std::string_view name) {
  asked_.push_back(name);
  return value_.find(name);
}

const JsonValue* BodyReader::required_member(std::string_view name) {
  const JsonValue* value = member(name);
  if (value == nullptr && value_.object() != nullptr) errors_.at(pointer_to(name), "is required");
  return value;
}

const JsonValue* BodyReader::optional_value(std::string_view name) { return member(name); }

std::optional<std::string> BodyReader::text_of(const JsonValue& value, std::string pointer,
                                               const TextRule& rule) {
  const std::string* text = value.string();
  if (text == nullptr) {
    errors_.at(std::move(pointer), "must be a string");
    return std::nullopt;
  }
  if (auto fault = fault_of(*text, rule)) {
    errors_.add({std::move(pointer), "", std::move(fault->detail), fault->card_data});
    return std::nullopt;
  }
  return *text;
}

std::optional<std::string> BodyReader::optional_text(std::string_view name, const TextRule& rule) {
  const JsonValue* value = member(name);
  return value == nullptr ? std::nullopt : text_of(*value, pointer_to(name), rule);
}

std::string BodyReader::required_text(std::string_view name, const TextRule& rule) {
  const JsonValue* value = required_member(name);
  return value == nullptr ? "" : text_of(*value, pointer_to(name), rule).value_or("");
}

std::optional<domain::Amount> BodyReader::decimal_of(const JsonValue& value, std::string pointer) {
  if (value.number() != nullptr) {
    errors_.at(std::move(pointer), "must be a string such as \"30.25\": money is never a number");
    return std::nullopt;
  }
  const std::string* text = value.string();
  if (text == nullptr) {
    errors_.at(std::move(pointer), "must be a string such as \"30.25\"");
    return std::nullopt;
  }
  const auto amount = domain::parse_amount(*text);
  if (!amount) {
    errors_.at(std::move(pointer),
               "must be a decimal such as \"30.25\", with at most 26 digits before and 12 after "
               "the point");
  }
  return amount;
}

std::optional<domain::Currency> BodyReader::currency_of(const JsonValue& value,
                                                        std::string pointer) {
  const std::string* code = value.string();
  if (code == nullptr) {
    errors_.at(std::move(pointer), "must be a string");
    return std::nullopt;
  }
  const auto currency = domain::Currency::parse(*code);
  if (!currency) errors_.at(std::move(pointer), "must be the code of an ISO 4217 currency");
  return currency;
}

std::optional<domain::Money> BodyReader::money_of(const JsonValue& value, std::string pointer) {
  if (value.object() == nullptr) {
    errors_.at(std::move(pointer),
               "must be an object such as {\"amount\":\"30.25\",\"currency\":\"USD\"}");
    return std::nullopt;
  }
  BodyReader money(value, errors_, std::move(pointer));
  std::optional<domain::Amount> amount;
  std::optional<domain::Currency> currency;
  if (const auto* part = money.required_member("amount")) {
    amount = decimal_of(*part, money.pointer_to("amount"));
  }
  if (const auto* part = money.required_member("currency")) {
    currency = currency_of(*part, money.pointer_to("currency"));
  }
  money.finish();
  if (!amount || !currency) return std::nullopt;
  return domain::Money{*amount, *currency};
}

std::optional<domain::Money> BodyReader::optional_money(std::string_view name) {
  const JsonValue* value = member(name);
  return value == nullptr ? std::nullopt : money_of(*value, pointer_to(name));
}

domain::Money BodyReader::required_money(std::string_view name) {
  const JsonValue* value = required_member(name);
  return value == nullptr ? domain::Money{}
                          : money_of(*value, pointer_to(name)).value_or(domain::Money{});
}

std::optional<domain::Amount> BodyReader::optional_decimal(std::string_view name) {
  const JsonValue* value = member(name);
  return value == nullptr ? std::nullopt : decimal_of(*value, pointer_to(name));
}

domain::Currency BodyReader::required_currency(std::string_view name) {
  const JsonValue* value = required_member(name);
  return value == nullptr ? domain::Currency()
                          : currency_of(*value, pointer_to(name)).value_or(domain::Currency());
}

std::optional<Instant> BodyReader::optional_instant(std::string_view name) {
  const JsonValue* value = member(name);
  if (value == nullptr) return std::nullopt;
  const std::string* text = value->string();
  const auto instant = text == nullptr ? std::nullopt : parse_utc(*text);
  if (!instant) {
    errors_.at(pointer_to(name),
               "must be a time in UTC such as \"2026-01-31T10:00:00.000001Z\", with at most 6 "
               "decimals");
  }
  return instant;
}

domain::Attributes BodyReader::attributes_of(const JsonValue& value, const std::string& pointer) {
  const auto* members = value.object();
  if (members == nullptr) {
    errors_.at(pointer, "must be an object of strings");
    return {};
  }
  if (members->size() > kAttributesMax) {
    errors_.at(pointer, "must have at most " + std::to_string(kAttributesMax) + " members");
    return {};
  }
  domain::Attributes attributes;
  std::size_t bytes = 0;
  for (const JsonMember& member : *members) {
    const std::string place = pointer_into(pointer, member.name);
    if (auto fault = fault_of(member.name, kAttributeNameRule)) {
      errors_.at(place, "the name " + fault->detail);
    }
    const auto text = text_of(member.value, place, kAttributeValueRule);
    bytes += member.name.size() + (text ? text->size() : 0);
    attributes.push_back({member.name, text.value_or("")});
  }
  if (bytes > kAttributesBytesMax) {
    errors_.at(pointer, "must have at most " + std::to_string(kAttributesBytesMax) +
                            " bytes of names and values");
  }
  return attributes;
}

domain::Attributes BodyReader::optional_attributes(std::string_view name) {
  const JsonValue* value = member(name);
  return value == nullptr ? domain::Attributes() : attributes_of(*value, pointer_to(name));
}

domain::Attributes BodyReader::required_attributes(std::string_view name) {
  const JsonValue* value = required_member(name);
  return value == nullptr ? domain::Attributes() : attributes_of(*value, pointer_to(name));
}

std::optional<std::vector<std::string>> BodyReader::texts_of(const JsonValue& value,
                                                             const std::string& pointer,
                                                             const TextRule& rule,
                                                             std::size_t max_items) {
  const auto* elements = value.array();
  if (elements == nullptr) {
    errors_.at(pointer, "must be an array of strings");
    return std::nullopt;
  }
  if (elements->empty() || elements->size() > max_items) {
    errors_.at(pointer, "must have 1 to " + std::to_string(max_items) + " elements");
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < elements->size(); ++i) {
    std::string place = pointer_into(pointer, std::to_string(i));
    auto text = text_of((*elements)[i], place, rule);
    if (!text) continue;
    if (std::find(texts.begin(), texts.end(), *text) != texts.end()) {
      errors_.at(std::move(place), "is in the list already");
      continue;
    }
    texts.push_back(std::move(*text));
  }
  return texts;
}

std::optional<std::vector<std::string>> BodyReader::optional_texts(std::string_view name,
                                                                   const TextRule& rule,
                                                                   std::size_t max_items) {
  const JsonValue* value = member(name);
  return value == nullptr ? std::nullopt : texts_of(*value, pointer_to(name), rule, max_items);
}

std::vector<std::string> BodyReader::required_texts(std::string_view name, const TextRule& rule,
                                                    std::size_t max_items) {
  const JsonValue* value = required_member(name);
  if (value == nullptr) return {};
  return texts_of(*value, pointer_to(name), rule, max_items).value_or(std::vector<std::string>());
}

std::optional<std::size_t> BodyReader::word_of(const JsonValue& value, std::string pointer,
                                               const std::vector<std::string_view>& words) {
  if (const std::string* text = value.string()) {
    const auto found = std::find(words.begin(), words.end(), *text);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  errors_.at(std::move(pointer), "must be " + in_quotes_or(words));
  return std::nullopt;
}

std::optional<std::size_t> BodyReader::optional_word(std::string_view name,
                                                     const std::vector<std::string_view>& words) {
  const JsonValue* value = member(name);
  return value == nullptr ? std::nullopt : word_of(*value, pointer_to(name), words);
}

std::vector<std::size_t> BodyReader::required_words(std::string_view name,
                                                    const std::vector<std::string_view>& words) {
  const JsonValue* value = required_member(name);
  if (value == nullptr) return {};
  const auto* elements = value->array();
  if (elements == nullptr || elements->empty() || elements->size() > words.size()) {
    errors_.at(pointer_to(name), "must be an array of 1 to " + std::to_string(words.size()) +
                                     " of " + in_quotes_or(words));
    return {};
  }
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < elements->size(); ++i) {
    std::string place = pointer_into(pointer_to(name), std::to_string(i));
    const auto at = word_of((*elements)[i], place, words);
    if (!at) continue;
    if (std::find(chosen.begin(), chosen.end(), *at) != chosen.end()) {
      errors_.at(std::move(place), "is in the list already");
      continue;
    }
    chosen.push_back(*at);
  }
  return chosen;
}

void BodyReader::finish() {
  const auto* members = value_.object();
  if (members == nullptr) return;
  for (const JsonMember& each : *members) {
    if (std::find(asked_.begin(), asked_.end(), each.name) == asked_.end()) {
      errors_.at(pointer_to(each.name), "is not a member of this request");
    }
  }
}

}  // namespace daybook::api
