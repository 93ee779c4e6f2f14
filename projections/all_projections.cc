#include "projections/all_projections.h"

#include "domain/base/check.h"
#include "projections/accounts.h"
#include "projections/balances.h"
#include "projections/due.h"
#include "projections/general_ledger.h"
#include "projections/index_rows.h"
#include "projections/tables.h"

namespace daybook::projections {

std::vector<std::unique_ptr<Projection>> all_projections(const eventstore::KvStore& store,
                                                         eventstore::KeyFilter* filter) {
  std::vector<std::unique_ptr<Projection>> all;
  all.push_back(std::make_unique<IndexKeys>(kKeysTable, filter));
  all.push_back(std::make_unique<IndexStreams>(kStreamsTable));
  all.push_back(std::make_unique<IndexStates>(store, kStatesTable));
  all.push_back(std::make_unique<Balances>(store, kBalancesTable));
  all.push_back(std::make_unique<Accounts>(store, kAccountsTable));
  all.push_back(std::make_unique<Due>(store, kDueTable));
  all.push_back(std::make_unique<GeneralLedger>(store, kGeneralLedgerTable));
  CHECK(all.size() == kTableCount);
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i]->table() == i);
  return all;
}

}  // namespace daybook::projections
