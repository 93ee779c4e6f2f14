#include "api/problem.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "api/http_message.h"
#include "domain/base/utf8.h"
#include "eventstore/json_text.h"

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

void append_text(std::string& out, std::string_view text) {
  eventstore::append_json_string(out, to_utf8(text));
}

}  // namespace

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): as in the header.
HttpResponse problem(int status, std::string_view slug, std::string_view detail,
                     std::string_view request_id, const ProblemExtras& extras) {
  HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/problem+json");
  std::string& body = response.body;
  body = "{\"type\":";
  append_text(body, std::string(kProblemBase).append(slug));
  body.append(",\"title\":");
  append_text(body, title_of(slug));
  body.append(",\"status\":").append(std::to_string(status)).append(",\"detail\":");
  append_text(body, detail);
  body.append(",\"request_id\":");
  append_text(body, request_id);
  for (const auto& [name, value] : extras.members) {
    body.push_back(',');
    append_text(body, name);
    body.append(":").append(value);
  }
  if (!extras.errors.empty()) body.append(",\"errors\":[");
  for (std::size_t i = 0; i < extras.errors.size(); ++i) {
    const FieldError& error = extras.errors[i];
    const bool in_body = error.parameter.empty();
    body.append(i == 0 ? "{" : ",{").append(in_body ? "\"pointer\":" : "\"parameter\":");
    append_text(body, in_body ? error.pointer : error.parameter);
    body.append(",\"detail\":");
    append_text(body, error.detail);
    body.push_back('}');
  }
  if (!extras.errors.empty()) body.push_back(']');
  body.push_back('}');
  return response;
}

HttpResponse invalid_query(std::string_view request_id, std::vector<FieldError> errors) {
  ProblemExtras extras;
  extras.errors = std::move(errors);
  return problem(422, "validation", "the query is not valid", request_id, extras);
}

}  // namespace daybook::api
