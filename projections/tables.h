#pragma once

#include <string>
#include <vector>

#include "eventstore/kv.h"

namespace daybook::projections {

/// The tables of `proj/`, in the order in which the store is opened with them.
enum ProjectionTable : eventstore::Table {
  kKeysTable = 0,           ///< Log index: look-up keys (eventstore/log_index.h).
  kStreamsTable = 1,        ///< Log index: every event by stream and version.
  kStatesTable = 2,         ///< Log index: latest states and snapshots.
  kBalancesTable = 3,       ///< projections/balances.h
  kAccountsTable = 4,       ///< projections/accounts.h
  kDueTable = 5,            ///< projections/due.h
  kGeneralLedgerTable = 6,  ///< projections/general_ledger.h
};
inline constexpr eventstore::Table kTableCount = 7;

/// What to open the store with: index i is table i.
inline std::vector<eventstore::TableSpec> table_specs() {
  return {{"keys", eventstore::TableSpec::Use::kPointLookups},
          {"streams", eventstore::TableSpec::Use::kScans},
          {"states"},
          {"balances"},
          {"accounts"},
          {"due"},
          {"general_ledger"}};
}

}  // namespace daybook::projections
