#include "api/http_gate.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/http_message.h"

namespace daybook::api {
namespace {

using Verdict = std::optional<Refusal>;

Refusal bad_framing(std::string_view detail) { return {400, "malformed-framing", detail, true}; }
Refusal bad_header(std::string_view detail) { return {400, "malformed-header", detail, true}; }
Refusal bad_target(std::string_view detail) { return {400, "malformed-target", detail, true}; }

/// A set of bytes, looked up in one step.
class ByteSet {
 public:
  using Range = std::pair<unsigned char, unsigned char>;

  constexpr ByteSet(std::initializer_list<Range> ranges, std::string_view also) {
    for (const auto& [first, last] : ranges) {
      for (unsigned c = first; c <= last; ++c) in_[c] = true;
    }
    for (const char c : also) in_[static_cast<unsigned char>(c)] = true;
  }
  /// Letters, digits, and `also`.
  constexpr explicit ByteSet(std::string_view also)
      : ByteSet({{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, also) {}
  constexpr bool has(char c) const { return in_[static_cast<unsigned char>(c)]; }
  constexpr bool has_all(std::string_view text) const {
    return std::all_of(text.begin(), text.end(), [this](char c) { return has(c); });
  }

 private:
  std::array<bool, 256> in_{};
};

constexpr ByteSet kToken("!#$%&'*+-.^_`|~");             // RFC 9110 section 5.6.2
constexpr ByteSet kPathByte("-._~!$&'()*+,;=:@/%");      // RFC 3986 pchar, and the separator
constexpr ByteSet kQueryByte("-._~!$&'()*+,;=:@/%?[]");  // brackets: `tag[name]=value`
constexpr ByteSet kHostByte("-._~!$&'()*+,;=%");         // RFC 3986 reg-name
constexpr ByteSet kControl({{0x00, 0x1F}}, "\x7F");

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The byte that the escape at `at` stands for, or -1.
int escaped_byte(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_known_method(std::string_view method) {
  constexpr std::array<std::string_view, 7> kMethods = {"GET",   "HEAD",   "POST",   "PUT",
                                                        "PATCH", "DELETE", "OPTIONS"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

/// Escapes must be whole and name neither NUL nor, in a path, what would move a segment's border.
Verdict decode_path(std::string_view raw, std::string& path) {
  path.clear();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      path.push_back(raw[i]);
      continue;
    }
    const int byte = escaped_byte(raw, i);
    if (byte < 0) return bad_target("A percent escape in the path is not two hex digits.");
    if (byte == 0) return bad_target("The path holds an encoded NUL.");
    if (byte == '/') return bad_target("The path holds an encoded slash.");
    path.push_back(static_cast<char>(byte));
    i += 2;
  }
  return std::nullopt;
}

Verdict check_segments(std::string_view path) {
  std::size_t at = 1;
  while (at <= path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    if (segment.empty() && end < path.size()) return bad_target("The path holds `//`.");
    if (segment == "." || segment == "..") return bad_target("The path holds a dot segment.");
    at = end + 1;
  }
  return std::nullopt;
}

Verdict check_query(std::string_view query) {
  if (!kQueryByte.has_all(query)) return bad_target("The query holds a byte that must be escaped.");
  for (std::size_t i = query.find('%'); i != std::string_view::npos; i = query.find('%', i + 1)) {
    const int byte = escaped_byte(query, i);
    if (byte < 0) return bad_target("A percent escape in the query is not two hex digits.");
    if (byte == 0) return bad_target("The query holds an encoded NUL.");
  }
  return std::nullopt;
}

Verdict read_target(RequestHead& head) {
  if (head.target.empty() || head.target.front() != '/') {
    return bad_target("The target is not in origin form: it must begin with a slash.");
  }
  const std::size_t mark = std::min(head.target.find('?'), head.target.size());
  head.raw_path = head.target.substr(0, mark);
  head.query = head.target.substr(std::min(mark + 1, head.target.size()));
  if (!kPathByte.has_all(head.raw_path)) {
    return bad_target("The path holds a byte that must be escaped.");
  }
  if (const Verdict refusal = decode_path(head.raw_path, head.path)) return refusal;
  if (const Verdict refusal = check_segments(head.path)) return refusal;
  return check_query(head.query);
}

/// An IPv6 address in brackets: what it may look like, not whether it is one.
bool is_bracketed(std::string_view text) {
  if (text.size() < 4 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  return std::count(text.begin(), text.end(), ':') >= 2 &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; });
}

/// RFC 9110 section 7.2: a host and an optional port. Readers disagree on anything else.
bool is_host_and_port(std::string_view value) {
  const std::size_t bracket = value.find(']');
  const std::size_t colon = value.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = value.substr(0, colon);
  if (colon != std::string_view::npos &&
      value.find_first_not_of("0123456789", colon + 1) != std::string_view::npos) {
    return false;
  }
  if (is_bracketed(host)) return true;
  if (host.empty() || !kHostByte.has_all(host)) return false;
  for (std::size_t i = host.find('%'); i != std::string_view::npos; i = host.find('%', i + 1)) {
    if (escaped_byte(host, i) < 0) return false;
  }
  return true;
}

Verdict check_version(std::string_view version) {
  if (version == "HTTP/1.1") return std::nullopt;
  const bool formed = version.size() == 8 && version.starts_with("HTTP/") && version[5] >= '0' &&
                      version[5] <= '9' && version[6] == '.' && version[7] >= '0' &&
                      version[7] <= '9';
  if (!formed) return bad_framing("The request line does not end in an HTTP version.");
  return Refusal{505, "http-version-not-supported", "Only HTTP/1.1 is spoken here.", true};
}

Verdict read_request_line(std::string_view line, const GateLimits& limits, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return bad_framing("The request line is not method, target and version.");
  }
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  if (head.method.empty() || !kToken.has_all(head.method)) {
    return bad_framing("The method is not a token.");
  }
  if (const Verdict refusal = check_version(line.substr(last + 1))) return refusal;
  if (head.target.size() > limits.max_target_bytes) {
    return Refusal{414, "uri-too-long", "The target is longer than this server reads.", true};
  }
  return read_target(head);
}

/// RFC 9112 section 6.3 with one number and nothing else: what two readers could read in two ways
/// (signs, lists, leading zeros) is refused.
Verdict read_content_length(std::string_view value, std::uint64_t& length) {
  constexpr std::size_t kMaxDigits = 18;  // below 2^63, whatever the digits
  const bool digits = !value.empty() && std::all_of(value.begin(), value.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return bad_framing("Content-Length is not one decimal number.");
  if (value.size() > 1 && value.front() == '0') {
    return bad_framing("Content-Length begins with a zero.");
  }
  if (value.size() > kMaxDigits) {
    return Refusal{413, "too-large", "The body is larger than any this server reads.", true};
  }
  length = 0;
  for (const char c : value) length = length * 10 + static_cast<std::uint64_t>(c - '0');
  return std::nullopt;
}

/// What the fields say about the request, gathered in one pass.
class FieldReader {
 public:
  explicit FieldReader(RequestHead& head) : head_(head) {}

  /// One field line without its CRLF.
  Verdict read(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t') {
      return bad_header("A header line is folded onto the one before it.");
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return bad_header("A header line has no colon.");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (name.empty() || !kToken.has_all(name)) return bad_header("A header name is not a token.");
    if (std::any_of(value.begin(), value.end(),
                    [](char c) { return kControl.has(c) && c != '\t'; })) {
      return bad_header("A header value holds a control byte.");
    }
    head_.fields.emplace_back(name, value);
    return note(name, value);
  }

  /// After the last field: what only the whole can tell.
  Verdict finish() const {
    if (!seen_[kHost]) return bad_header("There is no Host header.");
    if (head_.content_length > 0 && (head_.method == "GET" || head_.method == "HEAD")) {
      return bad_framing("A GET or HEAD request has no body here.");
    }
    if (!is_known_method(head_.method)) {
      return Refusal{405, "method-not-allowed", "This method is not used here.", false};
    }
    if (strange_expect_) {
      return Refusal{417, "expectation-failed", "Only `100-continue` can be expected.", false};
    }
    if (strange_coding_) {
      return Refusal{415, "unsupported-media-type", "The body must be sent without a coding.",
                     false};
    }
    return std::nullopt;
  }

 private:
  /// Fields that must not be there twice, not even with equal values.
  enum Single : std::size_t {
    kHost,
    kContentLength,
    kAuthorization,
    kIdempotencyKey,
    kContentType,
    kIfMatch,
    kExpect,
    kContentEncoding,
    kLastEventId,
    kSingles
  };

  static std::size_t single_of(std::string_view name) {
    constexpr std::array<std::string_view, kSingles> kNames = {
        "host",     "content-length", "authorization",    "idempotency-key", "content-type",
        "if-match", "expect",         "content-encoding", "last-event-id"};
    const auto found = std::find_if(kNames.begin(), kNames.end(), [name](std::string_view known) {
      return same_token(known, name);
    });
    return static_cast<std::size_t>(found - kNames.begin());
  }

  // NOLINTNEXTLINE(bugprone-easily-swappable-parameters): one caller, with the names as here.
  Verdict note(std::string_view name, std::string_view value) {
    if (same_token(name, "transfer-encoding")) {
      return Refusal{411, "length-required",
                     "Transfer-Encoding is not accepted: state the body's size in Content-Length.",
                     true};
    }
    if (same_token(name, "connection")) note_connection(value);
    const std::size_t single = single_of(name);
    if (single == kSingles) return std::nullopt;
    if (seen_[single] && single == kContentLength) {
      return bad_framing("Content-Length is there twice.");
    }
    if (seen_[single]) return bad_header("A header that must be single is there twice.");
    seen_[single] = true;
    return note_single(single, value);
  }

  Verdict note_single(std::size_t single, std::string_view value) {
    if (single == kHost && !is_host_and_port(value)) {
      return bad_header("Host is not a host name and port.");
    }
    if (single == kContentLength) return read_content_length(value, head_.content_length);
    if (single == kExpect) {
      head_.expect_continue = same_token(value, "100-continue");
      strange_expect_ = !head_.expect_continue;
    }
    if (single == kContentEncoding) strange_coding_ = !same_token(value, "identity");
    return std::nullopt;
  }

  void note_connection(std::string_view value) {
    while (!value.empty()) {
      const std::size_t comma = std::min(value.find(','), value.size());
      if (same_token(trimmed(value.substr(0, comma)), "close")) head_.close = true;
      value.remove_prefix(std::min(comma + 1, value.size()));
    }
  }

  RequestHead& head_;
  std::array<bool, kSingles> seen_{};
  bool strange_expect_ = false;
  bool strange_coding_ = false;
};

Refusal too_much(std::string_view bytes) {
  if (bytes.find('\n') == std::string_view::npos) {
    return {414, "uri-too-long", "The request line is longer than this server reads.", true};
  }
  return {431, "header-too-large", "The header is larger than this server reads.", true};
}

}  // namespace

HeaderScan scan_header(std::string_view bytes, std::size_t from, const GateLimits& limits) {
  const std::size_t end = std::min(bytes.size(), limits.max_header_bytes);
  std::size_t i = from;
  while (i < end) {
    const char c = bytes[i];
    const bool after_cr = i > 0 && bytes[i - 1] == '\r';
    if (c == '\n') {
      if (!after_cr) return {0, bad_framing("A line ends in LF without CR.")};
      if (i == 1) return {0, bad_framing("There is an empty line before the request line.")};
      if (i >= 3 && bytes[i - 2] == '\n') return {i + 1, std::nullopt};
    } else if (after_cr) {
      return {0, bad_framing("There is a CR without LF.")};
    } else if (kControl.has(c) && c != '\r' && c != '\t') {
      return {0, bad_header("The header holds a control byte.")};
    }
    ++i;
    // Most of a header is text, where nothing has to be asked but whether it goes on.
    if (c == '\r') continue;
    while (i < end && !kControl.has(bytes[i])) ++i;
  }
  if (bytes.size() < limits.max_header_bytes) return {0, std::nullopt};
  return {0, too_much(bytes.substr(0, limits.max_header_bytes))};
}

std::optional<Refusal> gate(std::string_view raw, const GateLimits& limits, RequestHead& head) {
  constexpr std::string_view kLineEnd = "\r\n";
  head.method = {};
  head.fields.clear();
  head.content_length = 0;
  head.expect_continue = false;
  head.close = false;
  const HeaderScan scan = scan_header(raw, 0, limits);
  if (scan.refusal) return scan.refusal;
  if (scan.end == 0 || scan.end != raw.size()) {
    return bad_framing("The header does not end where it must.");
  }
  std::size_t at = raw.find(kLineEnd);
  if (const Verdict refusal = read_request_line(raw.substr(0, at), limits, head)) return refusal;
  at += kLineEnd.size();
  FieldReader reader(head);
  while (at + kLineEnd.size() < raw.size()) {
    const std::size_t end = raw.find(kLineEnd, at);
    if (head.fields.size() == limits.max_fields) {
      return Refusal{431, "header-too-large", "There are more header fields than allowed.", true};
    }
    if (const Verdict refusal = reader.read(raw.substr(at, end - at))) return refusal;
    at = end + kLineEnd.size();
  }
  return reader.finish();
}

std::optional<std::string> decode_target_path(std::string_view target) {
  RequestHead head;
  head.target = target;
  if (read_target(head)) return std::nullopt;
  return std::move(head.path);
}

}  // namespace daybook::api
