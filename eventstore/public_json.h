#pragma once

#include <string>

#include "domain/event.h"
#include "domain/money.h"
#include "eventstore/digest.h"

/// The canonical public JSON of an event: the one form outside Daybook. Auditors hash it, the feed
/// publishes it, NDJSON prints it (docs/events.md). RFC 8785; money and other 64-bit numbers are
/// strings; rendered from the stored type and version; holds no position, partition, hash or
/// generation, so that it survives migration. Pure functions, any thread.
namespace daybook::eventstore {

/// `{"amount":"30.25","currency":"USD"}`
std::string money_json(const domain::Money& money);

/// `["admin","auditor"]`, in the order of kAllRoles.
std::string roles_json(domain::Roles roles);

/// The whole canonical event.
std::string public_json(const domain::RecordedEvent& event);

/// Its `data` member alone: what happened.
std::string public_data_json(const domain::RecordedEvent& event);
/// The same at the end of a text.
void append_public_data_json(std::string& out, const domain::RecordedEvent& event);

/// The public hash of an event: SHA-256 of its canonical bytes, as `sha256sum` gives it for the
/// line of an NDJSON export without its line end.
Hash public_hash(std::string_view canonical_json);

}  // namespace daybook::eventstore
