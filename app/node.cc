#include "app/node.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "api/command_service.h"
#include "api/http_server.h"
#include "api/metrics.h"
#include "api/service.h"
#include "app/version.h"
#include "domain/base/check.h"
#include "eventstore/digest.h"
#include "eventstore/event_codec.h"
#include "eventstore/files.h"
#include "eventstore/ledger.h"
#include "eventstore/log_index.h"
#include "eventstore/private_store.h"
#include "eventstore/rocks_kv.h"
#include "eventstore/rocks_log.h"
#include "eventstore/system_ports.h"
#include "projections/accounts.h"
#include "projections/balances.h"
#include "projections/due.h"
#include "projections/general_ledger.h"
#include "projections/index_rows.h"
#include "projections/projector.h"
#include "projections/tables.h"

namespace daybook::app {
namespace {

using eventstore::RocksKv;
using eventstore::RocksLog;

std::vector<std::unique_ptr<projections::Projection>> all_projections(
    const eventstore::KvStore& store) {
  using namespace projections;  // NOLINT(google-build-using-namespace): a list of their names
  std::vector<std::unique_ptr<Projection>> all;
  all.push_back(std::make_unique<IndexKeys>(kKeysTable));
  all.push_back(std::make_unique<IndexStreams>(kStreamsTable));
  all.push_back(std::make_unique<IndexStates>(store, kStatesTable));
  all.push_back(std::make_unique<Balances>(store, kBalancesTable));
  all.push_back(std::make_unique<Accounts>(store, kAccountsTable));
  all.push_back(std::make_unique<Due>(store, kDueTable));
  all.push_back(std::make_unique<GeneralLedger>(store, kGeneralLedgerTable));
  return all;
}

}  // namespace
}  // namespace daybook::app
