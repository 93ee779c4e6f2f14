#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eventstore/rocks_kv.h"

namespace daybook::eventstore {

/// RocksKv::open() on a disk that a test puts under it. `env` outlives the store.
Result<std::unique_ptr<RocksKv>> open_rocks_kv_for_test(const std::string& path,
                                                        const std::vector<TableSpec>& tables,
                                                        const RocksKv::Options& options,
                                                        rocksdb::Env* env);

}  // namespace daybook::eventstore
