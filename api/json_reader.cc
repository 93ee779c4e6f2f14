#include "api/json_reader.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <rapidjson/error/en.h>
#include <rapidjson/error/error.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/rapidjson.h>
#include <rapidjson/reader.h>

#include "domain/base/check.h"
#include "domain/base/utf8.h"
#include "eventstore/json_text.h"

namespace daybook::api {
namespace {

/// An array or object whose end has not come yet.
struct OpenValue {
  JsonValue value;
  std::string name;             ///< Of the member that comes next.
  std::set<std::string> names;  ///< Of all members; filled only beyond kScannedMembers.
};

constexpr std::size_t kScannedMembers = 16;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Length of the number (RFC 8259 section 6) at the start of `text`; 0 if there is none or if it
/// goes on as something else.
std::size_t number_length(std::string_view text) {
  std::size_t at = 0;
  const auto peek = [&] { return at < text.size() ? text[at] : '\0'; };
  const auto digits = [&] {
    const std::size_t from = at;
    while (is_digit(peek())) ++at;
    return at > from;
  };
  if (peek() == '-') ++at;
  if (peek() == '0') {
    ++at;
  } else if (!digits()) {
    return 0;
  }
  if (peek() == '.') {
    ++at;
    if (!digits()) return 0;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at;
    if (peek() == '+' || peek() == '-') ++at;
    if (!digits()) return 0;
  }
  const std::string_view ends = ",]} \t\r\n";
  return at == text.size() || ends.find(text[at]) != std::string_view::npos ? at : 0;
}

/// Builds the value from the parser's calls; `false` from any of them ends the parse, and `error`
/// says why.
// NOLINTBEGIN(readability-identifier-naming): the names are the parser's.
class Builder {
 public:
  Builder(std::string_view text, const rapidjson::MemoryStream& stream, const JsonLimits& limits,
          std::size_t values)
      : text_(text), stream_(stream), limits_(limits), values_(values) {}

  bool Null() { return place(JsonValue()); }
  bool Bool(bool truth) { return place(JsonValue(truth)); }
  // Numbers come as their text (kParseNumbersAsStringsFlag), never through these.
  bool Int(int) { return refuse_converted(); }
  bool Uint(unsigned) { return refuse_converted(); }
  bool Int64(std::int64_t) { return refuse_converted(); }
  bool Uint64(std::uint64_t) { return refuse_converted(); }
  bool Double(double) { return refuse_converted(); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    // Looked up in what the client sent: the parser may see a zero in its place.
    std::string_view written = text_.substr(stream_.Tell() - size);
    const std::size_t length = number_length(written);
    written = length == 0 ? std::string_view(text, size) : written.substr(0, length);
    return place(JsonValue(JsonValue::Number{std::string(written)}));
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    if (!is_plain_text({text, size})) return false;
    return place(JsonValue(std::string(text, size)));
  }
  bool StartObject() { return open(JsonValue(JsonValue::Object())); }
  bool StartArray() { return open(JsonValue(JsonValue::Array())); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    if (!is_plain_text({text, size})) return false;
    OpenValue& object = open_.back();
    object.name.assign(text, size);
    if (has_name(object)) {
      return refuse(JsonErrorKind::kDuplicateName, "two members of one object have the same name");
    }
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }

  JsonValue take() { return std::move(root_); }
  std::size_t values() const { return values_; }
  std::optional<JsonError> error;

 private:
  bool refuse(JsonErrorKind kind, std::string detail) {
    error = JsonError{kind, stream_.Tell(), std::move(detail)};
    return false;
  }
  static bool refuse_converted() {
    CHECK(false && "a number was converted");
    return false;
  }

  // The parser copies bytes unseen and lets \u0000 and the second half of a surrogate pair through.
  bool is_plain_text(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
      return refuse(JsonErrorKind::kNul, "a string holds \\u0000");
    }
    if (!is_utf8(text)) {
      return refuse(JsonErrorKind::kNotUnicode,
                    "a string is not UTF-8, or holds half a surrogate pair");
    }
    return true;
  }

  /// Also remembers the name. A set, not a hash table: nobody can choose names that collide.
  static bool has_name(OpenValue& object) {
    const JsonValue::Object& members = *object.value.object();
    if (members.size() < kScannedMembers) {
      return std::any_of(members.begin(), members.end(),
                         [&](const JsonMember& member) { return member.name == object.name; });
    }
    if (object.names.empty()) {
      for (const JsonMember& member : members) object.names.insert(member.name);
    }
    return !object.names.insert(object.name).second;
  }

  bool open(JsonValue value) {
    if (open_.size() >= limits_.depth) {
      return refuse(JsonErrorKind::kTooDeep,
                    "nested deeper than " + std::to_string(limits_.depth) + " levels");
    }
    open_.push_back({std::move(value), {}, {}});
    return true;
  }
  bool close() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    return place(std::move(value));
  }

  /// Puts a complete value where it belongs.
  bool place(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return true;
    }
    if (++values_ > limits_.values) {
      return refuse(JsonErrorKind::kTooMany,
                    "more than " + std::to_string(limits_.values) + " members and elements");
    }
    OpenValue& parent = open_.back();
    if (auto* array = parent.value.array()) {
      array->push_back(std::move(value));
    } else {
      parent.value.object()->push_back({std::move(parent.name), std::move(value)});
    }
    return true;
  }

  std::string_view text_;
  const rapidjson::MemoryStream& stream_;
  const JsonLimits& limits_;
  std::vector<OpenValue> open_;
  std::size_t values_;
  JsonValue root_;
};
// NOLINTEND(readability-identifier-naming)

/// The text with every number replaced by a zero and spaces, so that all offsets stay. The parser
/// refuses numbers beyond a float's range although it need not convert them; those are legal JSON.
std::string without_numbers(std::string_view text) {
  std::string replaced(text);
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (in_string && text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      in_string = !in_string;
    } else if (!in_string && (text[at] == '-' || is_digit(text[at]))) {
      const std::size_t size = number_length(text.substr(at));
      if (size == 0) break;  // A syntax error: the parser will say so.
      replaced[at] = '0';
      std::fill_n(replaced.begin() + static_cast<std::ptrdiff_t>(at) + 1, size - 1, ' ');
      at += size - 1;
    }
  }
  return replaced;
}

struct Attempt {
  std::variant<JsonValue, JsonError> outcome;
  bool number_too_big = false;
};

/// `source` is what is parsed, `text` what the client sent; they differ in numbers only.
// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): see the sentence above.
Attempt attempt(std::string_view source, std::string_view text, const JsonLimits& limits,
                std::size_t& values) {
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream stream(source.data(), source.size());
  Builder builder(text, stream, limits, values);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  if (!result.IsError()) {
    values = builder.values();
    return {builder.take()};
  }
  if (builder.error) return {std::move(*builder.error)};
  JsonError error{JsonErrorKind::kSyntax, result.Offset(),
                  rapidjson::GetParseError_En(result.Code())};
  if (result.Code() == rapidjson::kParseErrorStringUnicodeSurrogateInvalid) {
    error.kind = JsonErrorKind::kNotUnicode;
  }
  return {std::move(error), result.Code() == rapidjson::kParseErrorNumberTooBig};
}

std::variant<JsonValue, JsonError> read_json(std::string_view text, const JsonLimits& limits,
                                             std::size_t& values) {
  if (text.empty()) return JsonError{JsonErrorKind::kEmpty, 0, "the text is empty"};
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    return JsonError{JsonErrorKind::kByteOrderMark, 0, "the text begins with a byte order mark"};
  }
  // The parser takes a zero byte for the end of its input.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return JsonError{JsonErrorKind::kNul, nul, "the text holds a zero byte"};
  }
  Attempt first = attempt(text, text, limits, values);
  if (!first.number_too_big) return std::move(first.outcome);
  return std::move(attempt(without_numbers(text), text, limits, values).outcome);
}

/// A value on the way to its canonical text.
struct OpenText {
  const JsonValue* value = nullptr;
  std::size_t next = 0;
  std::vector<const JsonMember*> members;  ///< Sorted; of an object only.
};

OpenText opened(const JsonValue& value) {
  OpenText text{&value, 0, {}};
  if (const auto* object = value.object()) {
    text.members.reserve(object->size());
    for (const JsonMember& member : *object) text.members.push_back(&member);
    std::sort(text.members.begin(), text.members.end(),
              [](const JsonMember* left, const JsonMember* right) {
                return eventstore::is_utf16_less(left->name, right->name);
              });
  }
  return text;
}

void append_plain(std::string& out, const JsonValue& value) {
  if (const auto* truth = value.boolean()) {
    out += *truth ? "true" : "false";
  } else if (const auto* number = value.number()) {
    out += number->text;
  } else if (const auto* string = value.string()) {
    eventstore::append_json_string(out, *string);
  } else {
    out += "null";
  }
}

}  // namespace

JsonValue::JsonValue() = default;
JsonValue::JsonValue(Content content) : content_(std::move(content)) {}
JsonValue::JsonValue(JsonValue&& other) noexcept = default;
JsonValue& JsonValue::operator=(JsonValue&& other) noexcept = default;
JsonValue::~JsonValue() = default;

const JsonValue* JsonValue::find(std::string_view name) const {
  const Object* members = object();
  if (members == nullptr) return nullptr;
  for (const JsonMember& member : *members) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

std::variant<JsonValue, JsonError> parse_json(std::string_view text, const JsonLimits& limits) {
  std::size_t values = 0;
  return parse_json(text, limits, values);
}

std::variant<JsonValue, JsonError> parse_json(std::string_view text, const JsonLimits& limits,
                                              std::size_t& values) {
  auto read = read_json(text, limits, values);
  auto* error = std::get_if<JsonError>(&read);
  if (error != nullptr && error->kind != JsonErrorKind::kEmpty) {
    error->detail += " (at byte " + std::to_string(error->offset) + ")";
  }
  return read;
}

std::string canonical_text(const JsonValue& value) {
  std::string out;
  std::vector<OpenText> open;
  const auto begin = [&](const JsonValue& next) {
    if (next.array() == nullptr && next.object() == nullptr) {
      append_plain(out, next);
      return;
    }
    out.push_back(next.array() != nullptr ? '[' : '{');
    open.push_back(opened(next));
  };
  begin(value);
  while (!open.empty()) {
    OpenText& top = open.back();
    const auto* array = top.value->array();
    const std::size_t size = array != nullptr ? array->size() : top.members.size();
    if (top.next == size) {
      out.push_back(array != nullptr ? ']' : '}');
      open.pop_back();
      continue;
    }
    if (top.next != 0) out.push_back(',');
    const std::size_t at = top.next++;
    if (array != nullptr) {
      begin((*array)[at]);
      continue;
    }
    const JsonMember& member = *top.members[at];
    eventstore::append_json_string(out, member.name);
    out.push_back(':');
    begin(member.value);
  }
  return out;
}

}  // namespace daybook::api
