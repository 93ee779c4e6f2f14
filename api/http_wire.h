#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include "api/http_gate.h"
#include "api/http_message.h"

namespace daybook::api {

/// What the server, not the handler, says in a response header.
struct ResponseFrame {
  std::string_view request_id;
  std::string_view date;  ///< IMF-fixdate, see DateClock.
  bool close = false;
};

/// Can every byte of the status and headers be sent as it is? A CR, LF or NUL in a value would let
/// whoever supplied it write headers of its own.
bool is_sendable(const HttpResponse& response);

/// Appends the status line and header up to and with the empty line. REQUIRES: is_sendable().
void append_response_head(std::string& out, const HttpResponse& response,
                          const ResponseFrame& frame);

/// What a header says, as the handler gets it; `head_bytes` is how long it was.
HttpRequest to_request(const RequestHead& head, std::size_t head_bytes);

/// May a response of this status have a body at all? (RFC 9110 sections 15.3.5, 15.4.5)
bool status_has_body(int status);

/// Appends one chunk (RFC 9112 section 7.1). Nothing for empty data: that would end the body.
void append_chunk(std::string& out, std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// The answer a refusal of the gate is told with, Allow and Accept-Encoding included.
HttpResponse refusal_answer(const Refusal& refusal, std::string_view request_id);

/// A problem that also ends the connection; a 503 asks to retry after a second.
HttpResponse closing_problem(int status, std::string_view slug, std::string_view detail,
                             std::string_view request_id);

/// Bytes on their way out: a text that is kept and reused, and behind it, where the body is large,
/// the body itself, not copied.
class Outgoing {
 public:
  /// Empties both, keeping the text's memory unless it grew large.
  void clear();
  /// What is sent first; append to it before the first advance().
  std::string& text() { return text_; }
  void set_body(std::string body) { body_ = std::move(body); }

  std::size_t size() const { return text_.size() + body_.size(); }
  std::size_t capacity() const { return text_.capacity() + body_.capacity(); }
  std::size_t sent() const { return sent_; }
  bool done() const { return sent_ == size(); }
  /// What is left of text and body.
  std::array<std::string_view, 2> rest() const;
  void advance(std::size_t bytes) { sent_ += bytes; }

 private:
  std::string text_;
  std::string body_;
  std::size_t sent_ = 0;
};

/// Random request ids, 128 bits as 32 hex digits. They identify, they do not authenticate. One
/// thread.
class RequestIds {
 public:
  RequestIds();
  std::string next();

 private:
  std::uint64_t next_word();
  std::array<std::uint64_t, 4> state_{};
};

/// The Date header, formatted once a second. One thread.
class DateClock {
 public:
  std::string_view at(std::time_t now);

 private:
  std::time_t second_ = -1;
  std::string text_;
};

}  // namespace daybook::api
