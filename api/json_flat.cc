#include "api/json_flat.h"

#include <algorithm>
#include <cstddef>
#include <unordered_set>
#include <utility>

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include "domain/base/utf8.h"

namespace daybook::api {
namespace {

/// Collects the members; a `false` from any method ends the parse, and `reason` says why.
// NOLINTBEGIN(readability-identifier-naming): the names are the parser's.
class FlatHandler {
 public:
  bool Null() { return value({}); }
  bool Bool(bool truth) { return value(truth ? "true" : "false"); }
  // Numbers come as their text (kParseNumbersAsStringsFlag), never through these.
  bool Int(int) { return refuse("a number"); }
  bool Uint(unsigned) { return refuse("a number"); }
  bool Int64(std::int64_t) { return refuse("a number"); }
  bool Uint64(std::uint64_t) { return refuse("a number"); }
  bool Double(double) { return refuse("a number"); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) { return value({text, size}); }
  bool String(const char* text, rapidjson::SizeType size, bool) { return value({text, size}); }
  bool StartObject() {
    if (std::exchange(inside_, true)) return refuse("holds a nested object");
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    std::string name(text, size);
    if (!is_plain_text(name)) return refuse("has a name that is not text");
    if (!names_.insert(name).second) return refuse("has the name '" + name + "' twice");
    members.push_back({std::move(name), {}});
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return true; }
  bool StartArray() { return refuse(inside_ ? "holds an array" : "is not an object"); }
  bool EndArray(rapidjson::SizeType) { return true; }

  std::vector<FlatMember> members;
  std::string reason;

 private:
  bool refuse(std::string why) {
    reason = std::move(why);
    return false;
  }

  bool value(std::string_view text) {
    if (!inside_) return refuse("is not an object");
    if (!is_plain_text(text)) return refuse("has a value that is not text");
    members.back().value = text;
    return true;
  }

  // The parser lets \u0000 and the second half of a surrogate pair through.
  static bool is_plain_text(std::string_view text) {
    return text.find('\0') == std::string_view::npos && is_utf8(text);
  }

  bool inside_ = false;
  std::unordered_set<std::string> names_;
};
// NOLINTEND(readability-identifier-naming)

}  // namespace

Result<std::vector<FlatMember>> parse_flat_json_object(std::string_view text) {
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  // The parser takes a NUL for the end of its input.
  if (text.find('\0') != std::string_view::npos) return invalid("has a NUL byte");
  rapidjson::MemoryStream stream(text.data(), text.size());
  FlatHandler handler;
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  if (!result.IsError()) return std::move(handler.members);
  if (!handler.reason.empty()) return invalid(std::move(handler.reason));
  return invalid("is not JSON: " + std::string(rapidjson::GetParseError_En(result.Code())) +
                 " (at byte " + std::to_string(result.Offset()) + ")");
}

}  // namespace daybook::api
