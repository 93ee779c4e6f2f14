#pragma once

#include <string>
#include <vector>

#include "eventstore/decoded_entry.h"

namespace daybook::test {

inline domain::StreamId account_stream(const std::string& id) {
  return domain::StreamId::account(TenantId("acme"), AccountId(id));
}

/// An entry of one event for each of these streams, of which nothing else is said.
inline eventstore::DecodedEntry entry_of(const std::vector<domain::StreamId>& streams) {
  eventstore::DecodedEntry entry;
  for (const auto& stream : streams) entry.events.emplace_back().stream = stream;
  return entry;
}

}  // namespace daybook::test
