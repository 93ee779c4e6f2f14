#pragma once

#include <memory>
#include <string>

#include "eventstore/rocks_log.h"
#include "eventstore/watermark.h"

namespace rocksdb {
class Env;
}

namespace daybook::eventstore {

/// Where a test puts a failing disk under a RocksLog.
struct RocksLogHooks {
  rocksdb::Env* env = nullptr;         ///< Null: the real one. Must outlive the log.
  WatermarkFile::Sync sync_watermark;  ///< Empty: fdatasync.
};

/// RocksLog::open() with hooks.
Result<std::unique_ptr<RocksLog>> open_rocks_log_for_test(const std::string& dir,
                                                          const RocksLog::Options& options,
                                                          const RocksLogHooks& hooks);

}  // namespace daybook::eventstore
