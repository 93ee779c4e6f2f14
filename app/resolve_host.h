#pragma once

#include <string>

#include "domain/base/result.h"

namespace daybook::app {

/// The IP address of a host, without brackets: of an address itself; of a name what the system's
/// resolver says, /etc/hosts included: the first IPv4 address, else the first IPv6 address. Asks
/// once, and takes as long as the resolver is configured to. kInvalid: nobody knows the name.
/// Thread rule: any thread.
Result<std::string> resolve_host(const std::string& host);

}  // namespace daybook::app
