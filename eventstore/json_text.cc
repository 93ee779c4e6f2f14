#include "eventstore/json_text.h"

#include <algorithm>
#include <cstring>
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

constexpr bool needs_escape(unsigned char byte) {
  return byte < 0x20 || byte == '"' || byte == '\\';
}

/// The same of eight bytes at a time: the high bit of each that needs one, and maybe of bytes after
/// the first such.
constexpr std::uint64_t need_escapes(std::uint64_t bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  const std::uint64_t quotes = bytes ^ (kOnes * '"');
  const std::uint64_t backslashes = bytes ^ (kOnes * '\\');
  const std::uint64_t found = ((bytes - kOnes * 0x20) & ~bytes) | ((quotes - kOnes) & ~quotes) |
                              ((backslashes - kOnes) & ~backslashes);
  return found & (kOnes * 0x80);
}

/// How many bytes come before the first that needs an escape.
std::size_t plain_prefix(std::string_view text) {
  std::size_t i = 0;
  for (std::uint64_t bytes = 0; i + sizeof bytes <= text.size(); i += sizeof bytes) {
    std::memcpy(&bytes, text.data() + i, sizeof bytes);
    if (need_escapes(bytes) != 0) break;
  }
  while (i < text.size() && !needs_escape(static_cast<unsigned char>(text[i]))) ++i;
  return i;
}

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
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
        if (byte >= 0x20) {
          out.push_back(c);
          break;
        }
        out += "\\u00";
        out.push_back(kDigits[byte >> 4]);
        out.push_back(kDigits[byte & 0x0F]);
    }
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  const std::size_t plain = plain_prefix(text);
  const std::size_t at = out.size();
  out.resize(at + plain + 1);
  out[at] = '"';
  text.copy(out.data() + at + 1, plain);
  if (plain < text.size()) append_escaped(out, text.substr(plain));
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

JsonObject::JsonObject(std::string before) : text_(std::move(before)), start_(text_.size()) {
  text_.push_back('{');
}

void JsonObject::begin(std::string_view name) {
  constexpr std::size_t kUsualBytes = 512;
  if (!members_.empty()) {
    text_.push_back(',');
  } else if (start_ == 0) {
    text_.reserve(kUsualBytes);
  }
  Member member;
  member.at = text_.size();
  member.name_size = name.size();
  append_json_string(text_, name);
  member.is_escaped = text_.size() - member.at != name.size() + 2;
  if (member.is_escaped) {
    member.name_at = escaped_names_.size();
    escaped_names_ += name;
  } else {
    member.name_at = member.at + 1;
  }
  text_.push_back(':');
  in_order_ = in_order_ && (members_.empty() || is_utf16_less(name_of(members_.back()), name));
  members_.push_back(member);
}

JsonObject& JsonObject::string(std::string_view name, std::string_view value) {
  begin(name);
  append_json_string(text_, value);
  return *this;
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
  return *this;
}

std::string JsonObject::text() {
  if (!in_order_) sort();
  text_.push_back('}');
  std::string out = std::move(text_);
  *this = JsonObject();
  return out;
}

void JsonObject::sort() {
  struct Piece {
    std::string_view name;
    std::size_t at;
    std::size_t end;
  };
  boost::container::small_vector<Piece, kUsualMembers> pieces;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const bool is_last = i + 1 == members_.size();
    pieces.push_back(
        {name_of(members_[i]), members_[i].at, is_last ? text_.size() : members_[i + 1].at - 1});
  }
  std::sort(pieces.begin(), pieces.end(), [](const Piece& left, const Piece& right) {
    return is_utf16_less(left.name, right.name);
  });
  std::string sorted;
  sorted.reserve(text_.size() - start_);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    CHECK(i == 0 || pieces[i - 1].name != pieces[i].name);
    if (i != 0) sorted.push_back(',');
    sorted.append(text_, pieces[i].at, pieces[i].end - pieces[i].at);
  }
  text_.replace(start_ + 1, std::string::npos, sorted);
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
