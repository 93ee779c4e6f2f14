#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/json_reader.h"
#include "domain/base/result.h"

namespace daybook::app {

/// Whether it is http://HOST:PORT or https://…, without a path. Errors: kInvalid.
Status check_url(const std::string& url);

struct HttpCall {
  std::string method;
  std::string path;  ///< With its query, as it is sent.
  // NOLINTBEGIN(readability-redundant-member-init): so that a call may leave them out.
  std::string body = {};
  std::string idempotency_key = {};  ///< Empty: none.
  // NOLINTEND(readability-redundant-member-init)
  std::string content_type = "application/json";
};

struct HttpAnswer {
  int status = 0;
  std::string body;
};

/// A client of a served ledger: one connection, kept open, https where the URL says so. Follows no
/// redirect and uses no proxy, since every request carries the key.
///
/// Bounds: connecting 5 s, one call 120 s, one answer 64 MiB. Thread rule: one thread at a time.
class HttpClient {
 public:
  /// `url` is http://HOST:PORT or https://…, without a path; `key_file` holds the bare key.
  /// Errors: kInvalid: not such a URL, or a key that is none; kNotFound, kIo: the key file.
  // NOLINTNEXTLINE(bugprone-easily-swappable-parameters): the order of the command line
  static Result<std::unique_ptr<HttpClient>> open(const std::string& url,
                                                  const std::string& key_file);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  HttpClient(HttpClient&&) = delete;
  HttpClient& operator=(HttpClient&&) = delete;

  /// Whatever the server answered. kUnavailable: it did not, or not in time.
  Result<HttpAnswer> send(const HttpCall& call);

 private:
  struct Handle;
  explicit HttpClient(std::unique_ptr<Handle> handle);

  std::unique_ptr<Handle> handle_;
};

/// What a problem (RFC 9457) says, on one line: `Title: detail (/pointer: detail; …)`, with the
/// first few of its errors. Empty if it says nothing.
std::string problem_text(const api::JsonValue& problem);

/// The answer's JSON, if its status is 2xx. Otherwise the problem that it tells of: kNotFound for
/// 404, kConflict for 409 and 412, kUnavailable for 503, kInvalid for the rest.
Result<api::JsonValue> json_of(const HttpAnswer& answer);

/// Every byte outside `A-Za-z0-9-._~` as %XX (RFC 3986): a segment of a path.
std::string percent_encoded(std::string_view text);

/// The first text at one of these members, "" if there is none.
std::string text_member(const api::JsonValue& object, std::string_view name);

}  // namespace daybook::app
