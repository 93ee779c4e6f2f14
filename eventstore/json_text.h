#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>

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
  JsonObject() = default;
  /// Within a longer text: text() is `before` with the object behind it.
  explicit JsonObject(std::string before);

  JsonObject& string(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, std::uint64_t value);
  JsonObject& boolean(std::string_view name, bool value);
  JsonObject& null(std::string_view name);
  /// `json` is a complete JSON value.
  JsonObject& raw(std::string_view name, std::string_view json);
  /// `append_value` appends a complete JSON value to the text that it is given.
  template <class AppendValue>
  JsonObject& with(std::string_view name, const AppendValue& append_value) {
    begin(name);
    append_value(text_);
    return *this;
  }

  bool empty() const { return members_.empty(); }
  /// Takes the text: the object is as a new one afterwards.
  std::string text();

 private:
  static constexpr std::size_t kUsualMembers = 12;

  /// `"name":value`, which ends before the comma of the next member.
  struct Member {
    std::size_t at = 0;         ///< In text_.
    std::size_t name_at = 0;    ///< In text_, or in escaped_names_.
    std::size_t name_size = 0;  ///< Without escapes: what the order is of.
    bool is_escaped = false;
  };

  void begin(std::string_view name);
  void sort();
  std::string_view name_of(const Member& member) const {
    const std::string_view names = member.is_escaped ? escaped_names_ : text_;
    return names.substr(member.name_at, member.name_size);
  }

  // One block for all members, and for objects within: answers are made by the ten thousand a
  // second.
  std::string text_ = "{";  ///< All of it as far as it was added, but for the closing brace.
  std::size_t start_ = 0;   ///< Of the object in text_.
  boost::container::small_vector<Member, kUsualMembers> members_;
  std::string escaped_names_;
  bool in_order_ = true;
};

/// `[a,b]` from complete JSON values.
std::string json_array(const std::vector<std::string>& values);

/// The order of RFC 8785 for member names.
bool is_utf16_less(std::string_view left, std::string_view right);

}  // namespace daybook::eventstore
