#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/command_json.h"
#include "api/fingerprint.h"
#include "api/focus_csv.h"
#include "domain/base/time.h"

/// From a row of a FOCUS file to the request that books it. Pure functions; any thread.
namespace daybook::app {

/// A command as a client would send it: POST, with a key. Equal items are equal requests, whether
/// they go over HTTP or straight into a node.
struct ImportItem {
  api::Operation route = api::Operation::kCharge;
  std::string account;
  std::string path;
  std::string idempotency_key;
  std::string body;  ///< Canonical JSON.
};

/// The columns of the row that are not booked with it, since what they hold looks like the number
/// of a payment card, which must never enter the log (api/card_rule.h). About one provider's id in
/// ten with 13 to 19 digits does; the money of the row does not depend on them.
std::vector<std::string> withheld_columns(const api::FocusRow& row);

/// Positive cost: a charge that is always booked. Negative: an adjustment that gives the money
/// back. Zero: a usage fact.
ImportItem item_of(const api::FocusRow& row);

/// Opens the row's account in the row's currency.
ImportItem opening_of(const api::FocusRow& row);

/// The command that the item stands for, or what the ledger has against it.
std::variant<api::CommandBody, std::vector<api::InputError>> command_of(const ImportItem& item,
                                                                        const TenantId& tenant);

/// What makes the item the same request again.
api::RequestIdentity identity_of(const ImportItem& item);

/// Why the row cannot be booked at `now`, in the words of its columns.
std::optional<api::FocusRowError> objection_to(const api::FocusRow& row, const ImportItem& item,
                                               Instant now);

}  // namespace daybook::app
