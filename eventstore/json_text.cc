#include "eventstore/json_text.h"

#include <algorithm>

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
  for (const char c : text) {
    switch (c) {
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
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) {
          out += "\\u00";
          out.push_back(kDigits[byte >> 4]);
          out.push_back(kDigits[byte & 0x0F]);
        } else {
          out.push_back(c);
        }
      }
    }
  }
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

JsonObject& JsonObject::string(std::string_view name, std::string_view value) {
  return raw(name, json_string(value));
}
JsonObject& JsonObject::number(std::string_view name, std::uint64_t value) {
  return raw(name, std::to_string(value));
}
JsonObject& JsonObject::boolean(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}
JsonObject& JsonObject::null(std::string_view name) { return raw(name, "null"); }
JsonObject& JsonObject::raw(std::string_view name, std::string json) {
  members_.emplace_back(std::string(name), std::move(json));
  return *this;
}

std::string JsonObject::text() const {
  std::vector<const std::pair<std::string, std::string>*> sorted;
  sorted.reserve(members_.size());
  for (const auto& member : members_) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(), [](const auto* left, const auto* right) {
    return is_utf16_less(left->first, right->first);
  });
  std::string out = "{";
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    CHECK(i == 0 || sorted[i - 1]->first != sorted[i]->first);
    if (i != 0) out.push_back(',');
    append_json_string(out, sorted[i]->first);
    out.push_back(':');
    out += sorted[i]->second;
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
