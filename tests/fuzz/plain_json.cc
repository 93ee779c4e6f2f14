#include "tests/fuzz/plain_json.h"

#include <algorithm>
#include <cstdint>

namespace daybook::fuzz {
namespace {

/// A text and its UTF-16 code units, by which RFC 8785 sorts.
struct Text {
  std::string utf8;
  std::u16string utf16;
};

class Reader {
 public:
  Reader(std::string_view text, std::size_t depth) : text_(text), depth_max_(depth) {}

  std::optional<PlainJson> read() {
    PlainJson json;
    json.is_flat_object = true;
    top_ = &json;
    if (!value(json.canonical, 0) || at_ != text_.size()) return std::nullopt;
    return json;
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void spaces() {
    while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') ++at_;
  }
  bool word(std::string_view expected, std::string& out) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    out += expected;
    return true;
  }

  /// A value with the space around it.
  bool value(std::string& out, std::size_t depth) {
    spaces();
    bool good = false;
    const bool is_container = next() == '{' || next() == '[';
    if (is_container && depth >= depth_max_) return false;
    if (depth == 0 && next() != '{') top_->is_flat_object = false;
    if (depth > 0 && is_container) top_->is_flat_object = false;
    switch (next()) {
      case '{':
        good = object(out, depth);
        break;
      case '[':
        good = array(out, depth);
        break;
      case '"': {
        Text text;
        good = string(text);
        put(text.utf8, out);
        scalar_ = text.utf8;
        break;
      }
      case 't':
        good = word("true", out);
        scalar_ = "true";
        break;
      case 'f':
        good = word("false", out);
        scalar_ = "false";
        break;
      case 'n':
        good = word("null", out);
        scalar_.clear();
        break;
      default:
        good = number(out);
    }
    spaces();
    return good;
  }

  bool array(std::string& out, std::size_t depth) {
    take('[');
    out += '[';
    spaces();
    if (take(']')) {
      out += ']';
      return true;
    }
    do {
      if (!value(out, depth + 1)) return false;
      out += next() == ',' ? "," : "]";
    } while (take(','));
    return take(']');
  }

  bool object(std::string& out, std::size_t depth) {
    take('{');
    std::vector<std::pair<std::u16string, std::string>> members;
    spaces();
    if (!take('}')) {
      do {
        spaces();
        Text name;
        if (!string(name)) return false;
        spaces();
        if (!take(':')) return false;
        std::string member;
        put(name.utf8, member);
        member += ':';
        if (!value(member, depth + 1)) return false;
        members.emplace_back(std::move(name.utf16), std::move(member));
        if (depth == 0) top_->members.emplace_back(std::move(name.utf8), scalar_);
      } while (take(','));
      if (!take('}')) return false;
    }
    std::sort(members.begin(), members.end());
    out += '{';
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0 && members[i].first == members[i - 1].first) return false;
      if (i > 0) out += ',';
      out += members[i].second;
    }
    out += '}';
    return true;
  }

  bool digits(std::string& out) {
    const std::size_t from = at_;
    while (next() >= '0' && next() <= '9') out += text_[at_++];
    return at_ > from;
  }
  bool number(std::string& out) {
    const std::size_t from = out.size();
    if (take('-')) out += '-';
    if (take('0')) {
      out += '0';
    } else if (!digits(out)) {
      return false;
    }
    if (take('.')) {
      out += '.';
      if (!digits(out)) return false;
    }
    if (next() == 'e' || next() == 'E') {
      out += text_[at_++];
      if (next() == '+' || next() == '-') out += text_[at_++];
      if (!digits(out)) return false;
    }
    scalar_ = out.substr(from);
    return true;
  }

  bool string(Text& text) {
    if (!take('"')) return false;
    while (!take('"')) {
      std::uint32_t point = 0;
      if (next() == '\\' ? !escape(point) : !utf8(point)) return false;
      if (point == 0) return false;
      append(point, text);
    }
    return true;
  }

  bool escape(std::uint32_t& point) {
    take('\\');
    if (take('u')) {
      if (!hex4(point)) return false;
      if (point >= 0xDC00 && point <= 0xDFFF) return false;
      if (point < 0xD800 || point > 0xDBFF) return true;
      std::uint32_t low = 0;
      if (!take('\\') || !take('u') || !hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
      return true;
    }
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const std::size_t which = next() == '\0' ? std::string_view::npos : kLetters.find(next());
    if (which == std::string_view::npos) return false;
    ++at_;
    point = static_cast<std::uint8_t>(kMeanings[which]);
    return true;
  }
  bool hex4(std::uint32_t& point) {
    point = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = next();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return false;
      point = point * 16 + static_cast<std::uint32_t>(digit);
      ++at_;
    }
    return true;
  }

  /// One code point; RFC 3629.
  bool utf8(std::uint32_t& point) {
    if (at_ >= text_.size()) return false;
    const auto lead = static_cast<std::uint8_t>(text_[at_++]);
    if (lead < 0x20) return false;
    if (lead < 0x80) {
      point = lead;
      return true;
    }
    const int more = lead >= 0xF0 && lead <= 0xF4   ? 3
                     : lead >= 0xE0 && lead <= 0xEF ? 2
                     : lead >= 0xC2 && lead <= 0xDF ? 1
                                                    : 0;
    if (more == 0) return false;
    point = lead & (0x3FU >> more);
    for (int i = 0; i < more; ++i) {
      const auto byte = static_cast<std::uint8_t>(next());
      if ((byte & 0xC0U) != 0x80U) return false;
      point = point << 6 | (byte & 0x3FU);
      ++at_;
    }
    constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    return point >= kLeast[more] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
  }

  static void append(std::uint32_t point, Text& text) {
    const auto byte = [&](std::uint32_t value) { text.utf8.push_back(static_cast<char>(value)); };
    if (point < 0x80) {
      byte(point);
    } else if (point < 0x800) {
      byte(0xC0 | point >> 6);
      byte(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
      byte(0xE0 | point >> 12);
      byte(0x80 | (point >> 6 & 0x3F));
      byte(0x80 | (point & 0x3F));
    } else {
      byte(0xF0 | point >> 18);
      byte(0x80 | (point >> 12 & 0x3F));
      byte(0x80 | (point >> 6 & 0x3F));
      byte(0x80 | (point & 0x3F));
    }
    if (point < 0x10000) {
      text.utf16.push_back(static_cast<char16_t>(point));
    } else {
      text.utf16.push_back(static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10)));
      text.utf16.push_back(static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3FF)));
    }
  }

  /// RFC 8785 section 3.2.2.2.
  static void put(const std::string& utf8, std::string& out) {
    constexpr std::string_view kHex = "0123456789abcdef";
    constexpr std::string_view kShort = "\b\t\n\f\r\"\\";
    constexpr std::string_view kLetters = "btnfr\"\\";
    out += '"';
    for (const char c : utf8) {
      const auto byte = static_cast<std::uint8_t>(c);
      if (const std::size_t which = kShort.find(c); which != std::string_view::npos) {
        out += '\\';
        out += kLetters[which];
      } else if (byte < 0x20) {
        out += "\\u00";
        out += kHex[byte >> 4];
        out += kHex[byte & 15U];
      } else {
        out += c;
      }
    }
    out += '"';
  }

  std::string_view text_;
  std::size_t depth_max_;
  std::size_t at_ = 0;
  PlainJson* top_ = nullptr;
  std::string scalar_;  ///< The last value that was neither array nor object.
};

}  // namespace

std::optional<PlainJson> read_plain_json(std::string_view text, std::size_t depth) {
  return Reader(text, depth).read();
}

}  // namespace daybook::fuzz
