#include "api/fingerprint.h"

#include <cstddef>
#include <string>

#include "eventstore/digest.h"
#include "eventstore/wire.h"

namespace daybook::api {

std::uint64_t request_fingerprint(std::string_view ledger_secret, const RequestIdentity& request) {
  std::string framed;
  eventstore::WireWriter wire(framed);
  wire.text("daybook/request/1");
  wire.text(request.method);
  wire.text(request.path);
  wire.text(request.query);
  wire.text(request.canonical_body);
  const eventstore::Hash mac = eventstore::hmac_sha256(ledger_secret, framed);
  std::uint64_t fingerprint = 0;
  for (std::size_t i = 0; i < sizeof(fingerprint); ++i) fingerprint = fingerprint << 8 | mac[i];
  return fingerprint;
}

}  // namespace daybook::api
