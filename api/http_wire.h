#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

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

/// May a response of this status have a body at all? (RFC 9110 sections 15.3.5, 15.4.5)
bool status_has_body(int status);

/// Appends one chunk (RFC 9112 section 7.1). Nothing for empty data: that would end the body.
void append_chunk(std::string& out, std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

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
