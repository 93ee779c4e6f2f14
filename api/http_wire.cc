#include "api/http_wire.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <random>
#include <string>
#include <string_view>

#include "api/http_gate.h"
#include "api/http_message.h"
#include "api/problem.h"
#include "domain/base/check.h"

namespace daybook::api {
namespace {

// Other statuses are sent without a phrase, which RFC 9112 section 4 allows.
std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

bool is_ours(std::string_view name) {
  return same_token(name, "content-length") || same_token(name, "transfer-encoding") ||
         same_token(name, "connection") || same_token(name, "date") ||
         same_token(name, "x-request-id");
}

void append_number(std::string& out, std::uint64_t number, unsigned base) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<char, 20> text{};
  std::size_t at = text.size();
  do {
    text[--at] = kDigits[number % base];
    number /= base;
  } while (number > 0);
  out.append(text.data() + at, text.size() - at);
}

}  // namespace

bool is_sendable(const HttpResponse& response) {
  return response.status >= 200 && response.status <= 599 &&
         std::all_of(response.headers.begin(), response.headers.end(), [](const auto& field) {
           return is_token(field.first) && is_field_value(field.second);
         });
}

HttpRequest to_request(const RequestHead& head, std::size_t head_bytes) {
  HttpRequest request;
  request.method = head.method;
  request.target = head.target;
  request.path = head.path;
  request.query = head.query;
  request.headers.reserve(head.fields.size(), head_bytes);
  for (const auto& [name, value] : head.fields) request.headers.add(name, value);
  return request;
}

bool status_has_body(int status) { return status != 204 && status != 304; }

void append_response_head(std::string& out, const HttpResponse& response,
                          const ResponseFrame& frame) {
  bool cache_control = false;
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(response.status), 10);
  out.append(" ").append(reason_of(response.status));
  out.append("\r\nDate: ").append(frame.date);
  out.append("\r\nX-Request-Id: ").append(frame.request_id);
  for (const auto& [name, value] : response.headers) {
    if (is_ours(name)) continue;
    cache_control = cache_control || same_token(name, "cache-control");
    out.append("\r\n").append(name).append(": ").append(value);
  }
  if (!cache_control) out.append("\r\nCache-Control: no-store");
  if (frame.close) out.append("\r\nConnection: close");
  if (status_has_body(response.status)) {
    if (response.stream != nullptr) {
      out.append("\r\nTransfer-Encoding: chunked");
    } else {
      out.append("\r\nContent-Length: ");
      append_number(out, response.body.size(), 10);
    }
  }
  out.append("\r\n\r\n");
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  append_number(out, data.size(), 16);
  out.append("\r\n").append(data).append("\r\n");
}

HttpResponse refusal_answer(const Refusal& refusal, std::string_view request_id) {
  HttpResponse response = problem(refusal.status, refusal.slug, refusal.detail, request_id);
  response.close = refusal.close;
  if (refusal.status == 405) response.headers.emplace_back("Allow", kKnownMethods);
  if (refusal.status == 415) response.headers.emplace_back("Accept-Encoding", "identity");
  return response;
}

HttpResponse closing_problem(int status, std::string_view slug, std::string_view detail,
                             std::string_view request_id) {
  HttpResponse response = problem(status, slug, detail, request_id);
  response.close = true;
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

void Outgoing::clear() {
  constexpr std::size_t kKeptBytes = 131'072;
  // By swap: assigning an empty string keeps the memory.
  if (text_.capacity() > kKeptBytes) std::string().swap(text_);
  text_.clear();
  std::string().swap(body_);
  sent_ = 0;
}

std::array<std::string_view, 2> Outgoing::rest() const {
  const std::size_t of_text = std::min(sent_, text_.size());
  return {std::string_view(text_).substr(of_text), std::string_view(body_).substr(sent_ - of_text)};
}

RequestIds::RequestIds() {
  std::random_device device;  // getrandom or the processor's own
  for (std::uint64_t& word : state_) {
    word = (static_cast<std::uint64_t>(device()) << 32U) | device();
  }
  state_[0] |= 1U;  // xoshiro never leaves the all-zero state
}

/// xoshiro256** (Blackman and Vigna, public domain): a few cycles a word.
std::uint64_t RequestIds::next_word() {
  const std::uint64_t word = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return word;
}

std::string RequestIds::next() {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id(32, '0');
  std::size_t at = 0;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t word = next_word();
    for (int digit = 0; digit < 16; ++digit, word >>= 4U) id[at++] = kHex[word & 0xFU];
  }
  return id;
}

std::string_view DateClock::at(std::time_t now) {
  if (now == second_) return text_;
  std::tm utc{};
  CHECK(::gmtime_r(&now, &utc) != nullptr);
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto two = [](int number) {
    return std::string{static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
  };
  text_.assign(kDays[static_cast<std::size_t>(utc.tm_wday)]).append(", ").append(two(utc.tm_mday));
  text_.append(" ").append(kMonths[static_cast<std::size_t>(utc.tm_mon)]).append(" ");
  text_.append(std::to_string(1900 + utc.tm_year)).append(" ").append(two(utc.tm_hour));
  text_.append(":").append(two(utc.tm_min)).append(":").append(two(utc.tm_sec)).append(" GMT");
  second_ = now;
  return text_;
}

}  // namespace daybook::api
