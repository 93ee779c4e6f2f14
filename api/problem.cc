#include "api/problem.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "api/http_message.h"

namespace daybook::api {
namespace {

/// "credit-limit" -> "Credit limit", with the abbreviations as they are written.
std::string title_of(std::string_view slug) {
  std::string title(slug);
  for (char& c : title) {
    if (c == '-') c = ' ';
  }
  for (const std::string_view word : {std::string_view("http"), std::string_view("uri")}) {
    if (!title.starts_with(word) || (title.size() > word.size() && title[word.size()] != ' ')) {
      continue;
    }
    for (std::size_t i = 0; i < word.size(); ++i) title[i] = static_cast<char>(title[i] - 32);
  }
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') {
    title[0] = static_cast<char>(title[0] - 32);
  }
  return title;
}

unsigned char byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

/// Length of the well-formed UTF-8 sequence at `at` (RFC 3629 section 4), 0 where there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const unsigned char first = byte_at(text, at);
  const unsigned char second = byte_at(text, at + 1);
  const auto continues = [&](std::size_t i) { return (byte_at(text, at + i) & 0xC0U) == 0x80U; };
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !continues(1)) return 0;
  if (first < 0xE0) return 2;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool beyond = first == 0xF4 && second > 0x8F;
  if (overlong || surrogate || beyond || !continues(2)) return 0;
  if (first < 0xF0) return 3;
  return continues(3) ? 4 : 0;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kPlain = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetter = "\"\\bfnrt";
  out.push_back('\\');
  if (const std::size_t known = kPlain.find(c); known != std::string_view::npos) {
    out.push_back(kLetter[known]);
    return;
  }
  const auto byte = static_cast<unsigned char>(c);
  out.append("u00").append(1, kHex[byte >> 4U]).append(1, kHex[byte & 0xFU]);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    const char c = text[i];
    if (length == 0) {
      out.append("\xEF\xBF\xBD");
      ++i;
    } else if (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\')) {
      append_escape(out, c);
      ++i;
    } else {
      out.append(text.substr(i, length));
      i += length;
    }
  }
  out.push_back('"');
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): as in the header.
HttpResponse problem(int status, std::string_view slug, std::string_view detail,
                     std::string_view request_id, const ProblemExtras& extras) {
  HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/problem+json");
  std::string& body = response.body;
  body = "{\"type\":";
  append_json_string(body, std::string(kProblemBase).append(slug));
  body.append(",\"title\":");
  append_json_string(body, title_of(slug));
  body.append(",\"status\":").append(std::to_string(status)).append(",\"detail\":");
  append_json_string(body, detail);
  body.append(",\"request_id\":");
  append_json_string(body, request_id);
  for (const auto& [name, value] : extras.members) {
    body.push_back(',');
    append_json_string(body, name);
    body.append(":").append(value);
  }
  if (!extras.errors.empty()) body.append(",\"errors\":[");
  for (std::size_t i = 0; i < extras.errors.size(); ++i) {
    const FieldError& error = extras.errors[i];
    const bool in_body = error.parameter.empty();
    body.append(i == 0 ? "{" : ",{").append(in_body ? "\"pointer\":" : "\"parameter\":");
    append_json_string(body, in_body ? error.pointer : error.parameter);
    body.append(",\"detail\":");
    append_json_string(body, error.detail);
    body.push_back('}');
  }
  if (!extras.errors.empty()) body.push_back(']');
  body.push_back('}');
  return response;
}

}  // namespace daybook::api
