#pragma once

#include <optional>
#include <string>

#include "domain/account.h"
#include "domain/event.h"
#include "domain/tenant.h"

/// Whether an event that was read from a log may be what Daybook once wrote: what the fold would
/// CHECK, and the numbers that decide computed, computed anew: balances, holds and available after
/// it, the split between balance and credit, the credit limit with its source and the catalogue's
/// version, the limit or tag value before it, and by how much a refused amount was beyond the
/// funds. A strict charge, a hold and a pay-out must have been within them. (What takes more than
/// the stream's state is in replay/log_audit.h; reasons other than insufficient funds, and that a
/// status allowed a command, are not checked.) Pure functions; any event, any state. Nothing here
/// stops the process, whatever somebody wrote into the log.
namespace daybook::replay {

/// What is wrong. The place is known to the caller.
struct Finding {
  std::string check;  ///< "stream", "version", "state", "balance", "postings", ...
  std::string expected;
  std::string found;

  bool operator==(const Finding&) const = default;
};

/// The event by itself: names, type against stream, rules, what its public form needs (UTF-8, times
/// that have a text), amounts that
/// can be negated, postings that sum to zero. What follows may be called only for events that pass.
std::optional<Finding> check_form(const domain::RecordedEvent& event);

/// Whether domain::evolve may be called.
std::optional<Finding> check_evolves(const domain::AccountState& state,
                                     const domain::RecordedEvent& event);
std::optional<Finding> check_evolves(const domain::TenantState& state,
                                     const domain::RecordedEvent& event);

/// Evolves the state and compares every number of the event with what it must be, given the state
/// before and the tenant's terms. REQUIRES: check_form and check_evolves found nothing.
std::optional<Finding> check_and_evolve(domain::AccountState& state,
                                        const domain::Catalogue& catalogue,
                                        const domain::RecordedEvent& event);

std::string money_text(const domain::Money& money);

}  // namespace daybook::replay
