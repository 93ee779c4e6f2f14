#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_gate.h"
#include "api/http_message.h"
#include "api/http_parser.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

using api::GateLimits;
using api::HeaderScan;
using api::Refusal;
using api::RequestHead;

constexpr std::string_view kEnd = "\r\n\r\n";

bool same(const std::optional<Refusal>& left, const std::optional<Refusal>& right) {
  if (!left || !right) return left.has_value() == right.has_value();
  return left->status == right->status && left->slug == right->slug &&
         left->detail == right->detail && left->close == right->close;
}

/// As a connection does: more bytes each time, those seen are not looked at again.
HeaderScan scan_in_pieces(std::string_view bytes, const GateLimits& limits) {
  Chance chance(bytes);
  std::size_t seen = 0;
  for (const std::string_view piece : pieces_of(bytes, 1 + chance.below(40), chance)) {
    const std::size_t size = seen + piece.size();
    HeaderScan scan = api::scan_header(bytes.substr(0, size), seen, limits);
    if (scan.end > 0 || scan.refusal) return scan;
    seen = size;
  }
  return {};
}

std::string decoded(std::string_view raw) {
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      out += raw[i];
      continue;
    }
    out += static_cast<char>(std::stoi(std::string(raw.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return out;
}

void check_path(const RequestHead& head) {
  require(head.target.starts_with('/'), "a target is in origin form");
  require(head.path == decoded(head.raw_path), "the path is the decoded raw path");
  require(head.path.find('\0') == std::string::npos, "no path holds a NUL");
  const std::string closed = head.path + "/";
  require(head.path.find("//") == std::string::npos && closed.find("/./") == std::string::npos &&
              closed.find("/../") == std::string::npos,
          "no path has empty or dot segments");
  require(std::count(head.raw_path.begin(), head.raw_path.end(), '/') ==
              std::count(head.path.begin(), head.path.end(), '/'),
          "decoding moves no border of a segment");
  const auto again = api::decode_target_path(head.target);
  require(again == head.path, "a batch item's target is read alike");
}

void check_fields(const RequestHead& head, const GateLimits& limits) {
  std::size_t hosts = 0;
  std::optional<std::string_view> length;
  for (const auto& [name, value] : head.fields) {
    require(!api::same_token(name, "transfer-encoding"), "no body is chunked");
    if (api::same_token(name, "host")) ++hosts;
    if (!api::same_token(name, "content-length")) continue;
    require(!length.has_value(), "a length is given once");
    length = value;
  }
  require(hosts == 1, "there is one host");
  require(head.fields.size() <= limits.max_fields, "there are few fields");
  require(std::to_string(head.content_length) == length.value_or("0"),
          "the length is the text of the field");
  require(head.content_length == 0 || (head.method != "GET" && head.method != "HEAD"),
          "what only asks has no body");
}

/// The same request, written anew from what was understood of it.
void check_rewritten(const RequestHead& head, const GateLimits& limits) {
  std::string raw = std::string(head.method) + " " + std::string(head.target) + " HTTP/1.1\r\n";
  for (const auto& [name, value] : head.fields) {
    raw += std::string(name) + ":" + std::string(value) + "\r\n";
  }
  raw += "\r\n";
  RequestHead again;
  require(!api::gate(raw, limits, again), "what was understood is accepted");
  require(again.method == head.method && again.target == head.target && again.path == head.path &&
              again.query == head.query && again.fields == head.fields &&
              again.content_length == head.content_length &&
              again.expect_continue == head.expect_continue && again.close == head.close,
          "what was understood is understood again");
}

/// The library's parser may refuse what the gate took (a `Connection` that is no list of tokens,
/// for instance), and then the request is refused; where it agrees, it read this request and no
/// other.
void check_second_reader(std::string_view raw, RequestHead& head, const GateLimits& limits) {
  if (!api::beast_agrees(raw, head, limits)) return;
  ++head.content_length;
  require(!api::beast_agrees(raw, head, limits), "another length is noticed");
  --head.content_length;
  const auto last = head.fields.back();
  head.fields.pop_back();
  require(!api::beast_agrees(raw, head, limits), "a field too many is noticed");
  head.fields.emplace_back(last.first, last.second.substr(0, last.second.size() / 2));
  require(last.second.empty() || !api::beast_agrees(raw, head, limits), "another value is noticed");
}

}  // namespace

/// What a client sends first: where the header ends, and the gate's verdict.
void http_gate(std::string_view bytes) {
  const GateLimits limits;
  const HeaderScan scan = api::scan_header(bytes, 0, limits);
  const HeaderScan cut = scan_in_pieces(bytes, limits);
  require(scan.end == cut.end && same(scan.refusal, cut.refusal),
          "where a header ends does not depend on how its bytes come");
  require(scan.end == 0 || !scan.refusal, "a scan has one outcome");
  if (scan.end == 0) {
    RequestHead none;
    require(scan.refusal || bytes.size() < limits.max_header_bytes, "waiting has an end");
    require(api::gate(bytes, limits, none).has_value(), "half a header is no request");
    return;
  }
  require(scan.end <= limits.max_header_bytes && bytes.find(kEnd) + kEnd.size() == scan.end,
          "a header ends with its first empty line");

  const std::string_view raw = bytes.substr(0, scan.end);
  RequestHead head;
  const auto refusal = api::gate(raw, limits, head);
  RequestHead used;
  static_cast<void>(
      api::gate("PUT /x?y HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n", limits, used));
  require(same(api::gate(raw, limits, used), refusal), "a verdict has no memory");
  if (refusal) {
    require(refusal->status >= 400 && refusal->status < 600 && !refusal->slug.empty(),
            "a refusal says why");
    require(refusal->close || refusal->status != 400, "after bad framing the connection ends");
    return;
  }
  require(used.fields == head.fields && used.path == head.path && used.query == head.query &&
              used.content_length == head.content_length && used.close == head.close,
          "a head has no memory");
  require(head.target.size() <= limits.max_target_bytes, "a target keeps its bound");
  check_path(head);
  check_fields(head, limits);
  check_rewritten(head, limits);
  check_second_reader(raw, head, limits);
}

}  // namespace daybook::fuzz
