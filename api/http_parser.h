#pragma once

#include <string_view>

#include "api/http_gate.h"

namespace daybook::api {

/// Reads the same header bytes with Boost.Beast's parser and compares: method, target, every field
/// in order, and where the header ends. A request that two parsers read differently is one that an
/// intermediary may read differently too. Pure; allocates nothing.
bool beast_agrees(std::string_view raw, const RequestHead& head, const GateLimits& limits);

}  // namespace daybook::api
