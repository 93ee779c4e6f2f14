#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http_message.h"

namespace daybook::api {

/// Every problem `type` is this and a slug: one place to change.
inline constexpr std::string_view kProblemBase = "https://daybook.dev/problems/";

/// One wrong part of a request: an RFC 6901 pointer into the body ("" is all of it) or the name of
/// a path or query parameter, and what is wrong there.
struct FieldError {
  std::string pointer;
  std::string detail;
  std::string parameter = {};  ///< If not empty: instead of the pointer.
};

/// What a problem may say beyond the standard members.
struct ProblemExtras {
  std::vector<std::pair<std::string, std::string>> members;  ///< Name, and its value as raw JSON.
  std::vector<FieldError> errors;                            ///< Left out while empty.
};

/// RFC 9457 `application/problem+json` with type, title (made of the slug, so that it never varies
/// within a type), status, detail and request_id. Never put a path of this machine, a stack or
/// another tenant's data in `detail`. What is not UTF-8 becomes U+FFFD.
// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): the order is that of the members.
HttpResponse problem(int status, std::string_view slug, std::string_view detail,
                     std::string_view request_id, const ProblemExtras& extras = {});
/// 422 `validation`, of the query.
HttpResponse invalid_query(std::string_view request_id, std::vector<FieldError> errors);

}  // namespace daybook::api
