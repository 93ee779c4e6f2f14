#include "eventstore/json_text.h"

#include <algorithm>
#include <utility>

#include "domain/base/check.h"

namespace daybook::eventstore {
namespace {

/// Order of UTF-8 bytes is order of code points; UTF-16 differs only in that surrogate pairs (lead
/// byte 0xF0 and above) come before U+E000 to U+FFFF (lead byte 0xEE and 0xEF).
int utf16_rank(unsigned char lead) {
  if (lead >= 0xF0) return 0xEE;
  if (lead >= 0xEE) return lead + 0x10;
  return lead;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.push_back('"');
  std::size_t plain = 0;  // From here on nothing was appended yet.
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out.push_back(kDigits[byte >> 4]);
        out.push_back(kDigits[byte & 0x0F]);
    }
  }
  out.append(text, plain);
  out.push_back('"');
}

std::string json_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_json_string(out, text);
  return out;
}

bool is_utf16_less(std::string_view left, std::string_view right) {
  const auto [l, r] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  if (l == left.end() || r == right.end()) return l == left.end() && r != right.end();
  const auto a = static_cast<unsigned char>(*l);
  const auto b = static_cast<unsigned char>(*r);
  if (utf16_rank(a) != utf16_rank(b)) return utf16_rank(a) < utf16_rank(b);
  return a < b;
}

void JsonObject::begin(std::string_view name) {
  constexpr std::size_t kUsualBytes = 384;
  constexpr std::size_t kUsualNames = 96;
  constexpr std::size_t kUsualMembers = 12;
  if (members_.empty()) {
    text_.reserve(kUsualBytes);
    names_.reserve(kUsualNames);
    members_.reserve(kUsualMembers);
  } else {
    in_order_ = in_order_ && is_utf16_less(name_of(members_.back()), name);
    text_.push_back(',');
  }
  Member& member = members_.emplace_back();
  member.name_at = names_.size();
  names_ += name;
  member.name_end = names_.size();
  member.json_at = text_.size();
  append_json_string(text_, name);
  text_.push_back(':');
}
JsonObject& JsonObject::end() {
  members_.back().end = text_.size();
  return *this;
}

JsonObject& JsonObject::string(std::string_view name, std::string_view value) {
  begin(name);
  append_json_string(text_, value);
  return end();
}
JsonObject& JsonObject::number(std::string_view name, std::uint64_t value) {
  return raw(name, std::to_string(value));
}
JsonObject& JsonObject::boolean(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}
JsonObject& JsonObject::null(std::string_view name) { return raw(name, "null"); }
JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  begin(name);
  text_ += json;
  return end();
}

std::string JsonObject::text() const& {
  if (!in_order_) return sorted();
  std::string out;
  out.reserve(text_.size() + 1);
  out += text_;
  out.push_back('}');
  return out;
}
std::string JsonObject::text() && {
  if (in_order_) text_.push_back('}');
  std::string out = in_order_ ? std::move(text_) : sorted();
  *this = JsonObject();
  return out;
}

std::string JsonObject::sorted() const {
  std::vector<Member> sorted = members_;
  std::sort(sorted.begin(), sorted.end(), [this](const Member& left, const Member& right) {
    return is_utf16_less(name_of(left), name_of(right));
  });
  std::string out;
  out.reserve(text_.size() + 1);
  out.push_back('{');
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    CHECK(i == 0 || name_of(sorted[i - 1]) != name_of(sorted[i]));
    if (i != 0) out.push_back(',');
    out.append(text_, sorted[i].json_at, sorted[i].end - sorted[i].json_at);
  }
  out.push_back('}');
  return out;
}

std::string json_array(const std::vector<std::string>& values) {
  std::string out = "[";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out.push_back(',');
    out += values[i];
  }
  out.push_back(']');
  return out;
}

}  // namespace daybook::eventstore
