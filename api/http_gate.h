#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace daybook::api {

/// How much header a request may have, in bytes and fields.
struct GateLimits {
  std::size_t max_header_bytes = 8192;  ///< Request line and fields with the closing empty line.
  std::size_t max_target_bytes = 2048;
  std::size_t max_fields = 64;
};

/// Why a request is not served. The texts are static and never quote the request.
struct Refusal {
  int status = 400;
  std::string_view slug;
  std::string_view detail;
  bool close = true;  ///< Always true where the end of the request is in doubt.
};

/// A header that passed the gate. Views point into the raw bytes.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::string_view raw_path;
  std::string_view query;  ///< Without `?`.
  std::string path;        ///< Percent-decoded: may hold any byte but NUL.
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  std::uint64_t content_length = 0;  ///< 0 where the request states none.
  bool expect_continue = false;
  bool close = false;  ///< The client asked for `Connection: close`.
};

/// Where the header ends, as far as the bytes tell.
struct HeaderScan {
  std::size_t end = 0;  ///< Bytes of the whole header; 0: not all here yet.
  std::optional<Refusal> refusal;
};

/// Methods that some path has, as the Allow header of an unknown method writes them.
inline constexpr std::string_view kKnownMethods = "GET, HEAD, POST, PUT, DELETE";

/// Looks for the end of a header in `bytes`, of which the first `from` were seen before. Finds the
/// faults that would hide it: bare CR or LF, control bytes, too much. It goes by position, so the
/// outcome does not depend on how the bytes were split. Pure.
HeaderScan scan_header(std::string_view bytes, std::size_t from, const GateLimits& limits);

/// The strict reading of RFC 9112: accepts a header only if there is one way to read it. `raw` is
/// what scan_header() delimited. Fills `head` (reusing its memory), or says why not. Pure, never
/// throws but for lack of memory; any bytes may be given.
std::optional<Refusal> gate(std::string_view raw, const GateLimits& limits, RequestHead& head);

/// The decoded path of a target in origin form (a batch item's), by the rules of the gate; nothing
/// for a target that the gate would refuse.
std::optional<std::string> decode_target_path(std::string_view target);

}  // namespace daybook::api
