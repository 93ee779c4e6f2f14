#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace daybook::api {

/// The header fields of one request, in the order they came. One block of text, two allocations.
class HttpHeaders {
 public:
  void add(std::string_view name, std::string_view value);
  /// Room for fields that came in a header of that many bytes.
  void reserve(std::size_t fields, std::size_t header_bytes);

  /// The first field of that name, ASCII case ignored (RFC 9110 section 5.1). The view lives as
  /// long as these headers are neither changed, moved nor destroyed.
  std::optional<std::string_view> find(std::string_view name) const;

  std::size_t size() const { return fields_.size(); }
  /// REQUIRES: index < size().
  std::pair<std::string_view, std::string_view> at(std::size_t index) const;

 private:
  struct Field {
    std::size_t name_at = 0;
    std::size_t value_at = 0;
    std::size_t end = 0;
  };
  std::string text_;
  std::vector<Field> fields_;
};

/// ASCII case-insensitive equality, as header names and most tokens compare.
bool same_token(std::string_view left, std::string_view right);

/// The type and subtype of a Content-Type in lower case, without parameters.
std::string media_type(std::string_view content_type);

/// Whether a Content-Type names UTF-8 or no character set at all.
bool is_utf8_media(std::string_view content_type);

/// One request that has passed the gate (http_gate.h).
struct HttpRequest {
  std::string method;      ///< One of the methods the gate knows, upper case.
  std::string target;      ///< As it was sent: raw path, `?`, raw query.
  std::string path;        ///< Percent-decoded; `/` only separates, any byte but NUL may occur.
  std::string query;       ///< Raw, without `?`; every percent escape in it is well formed.
  HttpHeaders headers;     ///< Values trimmed of spaces and tabs.
  std::string body;        ///< Exactly Content-Length bytes; empty while only the head is read.
  std::string peer;        ///< `127.0.0.1:50412`, `[::1]:50412`.
  std::string request_id;  ///< 32 hex digits, fresh and random; also sent as X-Request-Id.
  std::shared_ptr<void> context;  ///< What on_header said of it (BodyLimit); null before.

  std::optional<std::string_view> header(std::string_view name) const { return headers.find(name); }
};

/// A body made bit by bit (NDJSON exports, Server-Sent Events), sent chunked. Called on the io
/// thread of its connection only, and must not block it; destroyed there or in stop().
class BodyStream {
 public:
  enum class Next {
    kData,        ///< Something was appended; ask again when the socket takes more.
    kNothingYet,  ///< Ask again after wake() or the heartbeat interval.
    kEnd,         ///< Complete; what was appended by this call is still sent.
    kAbort,       ///< Cannot be completed: the connection is cut, so the client sees it.
  };

  BodyStream() = default;
  BodyStream(const BodyStream&) = delete;
  BodyStream& operator=(const BodyStream&) = delete;
  BodyStream(BodyStream&&) = delete;
  BodyStream& operator=(BodyStream&&) = delete;
  virtual ~BodyStream() = default;

  /// Appends about `room` bytes at most to `out`. Called only when the socket can take more.
  virtual Next next(std::string& out, std::size_t room) = 0;

  /// Given once before the first next(): `wake` may be called from any thread, at any time, also
  /// after the connection is gone, and leads to another next().
  // NOLINTNEXTLINE(performance-unnecessary-value-param): an override keeps it.
  virtual void subscribe(std::function<void()> /*wake*/) {}

  /// Sent when nothing came for the heartbeat interval. A stream without one is cut when it has
  /// nothing for the handler deadline.
  virtual std::string_view heartbeat() const { return {}; }

  /// True: it never ends by itself, so a stopping server ends it. False: it is given the drain
  /// deadline, then cut, never made to look complete.
  virtual bool endless() const { return false; }
};

/// What a handler answers. The server adds Date, X-Request-Id, Content-Length or chunked framing,
/// Connection and, where the handler sets none, `Cache-Control: no-store`; it drops those of the
/// first four that a handler sets.
struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool close = false;                  ///< End the connection after this answer.
  std::shared_ptr<BodyStream> stream;  ///< Null: `body` is the whole body.
};

/// Answers one request: the first call counts, from any thread, also after the client is gone.
using Respond = std::function<void(HttpResponse)>;

/// How large a body the route takes. A larger Content-Length is 413, unread.
struct BodyLimit {
  std::uint64_t bytes = 0;
  std::shared_ptr<void> context = nullptr;  ///< Comes back with the request.
};

/// What the server serves. Called on the io threads, concurrently where there are several; must
/// not block them. An exception is answered with 500 and ends the connection.
class HttpApplication {
 public:
  HttpApplication() = default;
  HttpApplication(const HttpApplication&) = delete;
  HttpApplication& operator=(const HttpApplication&) = delete;
  HttpApplication(HttpApplication&&) = delete;
  HttpApplication& operator=(HttpApplication&&) = delete;
  virtual ~HttpApplication() = default;

  /// With the header alone, before any byte of the body is read: an answer (401, 404, 405, …)
  /// that ends the request, or how large a body it may have.
  virtual std::variant<HttpResponse, BodyLimit> on_header(const HttpRequest& head) = 0;

  /// With the whole request. `respond` may be called inline or kept.
  virtual void on_request(HttpRequest request, Respond respond) = 0;
};

}  // namespace daybook::api
