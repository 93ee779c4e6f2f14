#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Writing JSON that is canonical by RFC 8785: the public form of events and of every answer.
namespace daybook::eventstore {

/// Appends the string with quotes and the escapes of RFC 8785 section 3.2.2.2. REQUIRES: UTF-8.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

/// A JSON object under construction. Members may be added in any order; text() sorts them by
/// UTF-16 code units (RFC 8785 section 3.2.3), which costs nothing where they were added like that.
/// REQUIRES: names are unique.
class JsonObject {
 public:
  JsonObject& string(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, std::uint64_t value);
  JsonObject& boolean(std::string_view name, bool value);
  JsonObject& null(std::string_view name);
  /// `json` is a complete JSON value.
  JsonObject& raw(std::string_view name, std::string_view json);

  bool empty() const { return members_.empty(); }
  std::string text() const&;
  std::string text() &&;

 private:
  /// Where a member stands: its name in names_, `"name":value` in text_.
  struct Member {
    std::size_t name_at = 0;
    std::size_t name_end = 0;
    std::size_t json_at = 0;
    std::size_t end = 0;
  };

  void begin(std::string_view name);
  JsonObject& end();
  std::string sorted() const;
  std::string_view name_of(const Member& member) const {
    return std::string_view(names_).substr(member.name_at, member.name_end - member.name_at);
  }

  // One block for all members: answers are made by the ten thousand a second.
  std::string text_ = "{";  ///< All of it as far as it was added, but for the closing brace.
  std::string names_;       ///< Without escapes: what the order is of.
  std::vector<Member> members_;
  bool in_order_ = true;
};

/// `[a,b]` from complete JSON values.
std::string json_array(const std::vector<std::string>& values);

/// The order of RFC 8785 for member names.
bool is_utf16_less(std::string_view left, std::string_view right);

}  // namespace daybook::eventstore
