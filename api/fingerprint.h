#pragma once

#include <cstdint>
#include <string_view>

namespace daybook::api {

/// What makes two requests the same one. A batch item counts as the single request it stands for.
struct RequestIdentity {
  std::string_view method;
  std::string_view path;            ///< Percent-decoded: escaping a byte makes no other request.
  std::string_view query;           ///< Behind the `?`, as sent; empty if there is none.
  std::string_view canonical_body;  ///< canonical_text() of the body; `{}` where none was sent.
};

/// The fingerprint that an idempotency key stands for: the first 8 bytes, big-endian, of
/// HMAC-SHA-256 under the ledger's secret over the parts, each with its length before it. It goes
/// into the log for ever; the secret keeps it from confirming guesses at a body.
/// Thread rule: any thread.
std::uint64_t request_fingerprint(std::string_view ledger_secret, const RequestIdentity& request);

}  // namespace daybook::api
