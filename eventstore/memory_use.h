#pragma once

#include <cstddef>

#include "domain/account.h"
#include "domain/tenant.h"
#include "eventstore/command.h"
#include "eventstore/lookups.h"

/// About how many bytes of memory a thing takes, for bounds: what it holds, without the allocator's
/// own cost. Linear in its parts.
namespace daybook::eventstore {

std::size_t memory_of(const Command& command);
std::size_t memory_of(const Lookups& lookups);
std::size_t memory_of(const Answer& answer);
std::size_t memory_of(const domain::AccountState& state);
std::size_t memory_of(const domain::TenantState& state);

}  // namespace daybook::eventstore
