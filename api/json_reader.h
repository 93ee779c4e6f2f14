#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Reading JSON (RFC 8259) from strangers, without ever turning a number into a float.
namespace daybook::api {

struct JsonMember;

/// One JSON value. Strings are unescaped, well-formed UTF-8 and hold no NUL. Members keep their
/// order and have unique names. Moved, never copied.
class JsonValue {
 public:
  struct Null {};
  struct Number {
    std::string text;  ///< Exactly as it was written: "1E400", "-0", "0.10".
  };
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;
  using Content = std::variant<Null, bool, Number, std::string, Array, Object>;

  // Defined where JsonMember is complete.
  JsonValue();
  explicit JsonValue(Content content);
  JsonValue(JsonValue&& other) noexcept;
  JsonValue& operator=(JsonValue&& other) noexcept;
  ~JsonValue();
  JsonValue(const JsonValue&) = delete;
  JsonValue& operator=(const JsonValue&) = delete;

  bool is_null() const { return content_.index() == 0; }
  /// The content if it is of that kind, else null.
  const bool* boolean() const { return std::get_if<bool>(&content_); }
  const Number* number() const { return std::get_if<Number>(&content_); }
  const std::string* string() const { return std::get_if<std::string>(&content_); }
  const Array* array() const { return std::get_if<Array>(&content_); }
  const Object* object() const { return std::get_if<Object>(&content_); }
  Array* array() { return std::get_if<Array>(&content_); }
  Object* object() { return std::get_if<Object>(&content_); }

  /// The member of that name; null if there is none or this is no object.
  const JsonValue* find(std::string_view name) const;

 private:
  Content content_;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

struct JsonLimits {
  std::size_t depth = 32;        ///< Of arrays and objects around a value; a bare value has 0.
  std::size_t values = 100'000;  ///< Members and elements, all together.
};

enum class JsonErrorKind : std::uint8_t {
  kEmpty,          ///< No bytes at all.
  kByteOrderMark,  ///< Begins with U+FEFF, which RFC 8259 section 8.1 lets a reader refuse.
  kNul,            ///< A zero byte, or \u0000 in a string: no name or text of ours holds one.
  kSyntax,         ///< Outside the grammar, or something after the value.
  kNotUnicode,     ///< Broken UTF-8, or an escape that is half a surrogate pair.
  kDuplicateName,  ///< Two members of one object have the same name.
  kTooDeep,
  kTooMany,
};

struct JsonError {
  JsonErrorKind kind = JsonErrorKind::kSyntax;
  std::size_t offset = 0;  ///< Bytes that were read when it was noticed.
  std::string detail;      ///< For the client, with the offset; never quotes what it sent.
};

/// Reads one JSON value that must be the whole text. Stack use does not grow with the text; memory
/// is bounded by the text's size and `limits.values`. Thread rule: any thread.
std::variant<JsonValue, JsonError> parse_json(std::string_view text, const JsonLimits& limits = {});

/// The same for one of several texts that share `limits.values`: adds its own to `values`, which
/// the texts before it have come to.
std::variant<JsonValue, JsonError> parse_json(std::string_view text, const JsonLimits& limits,
                                              std::size_t& values);

/// The one text of equal values: members sorted by UTF-16 code units, no spaces, strings escaped as
/// in RFC 8785, numbers as they were written (1.0 and 1 stay different: no float takes part).
std::string canonical_text(const JsonValue& value);

}  // namespace daybook::api
