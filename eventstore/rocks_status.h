#pragma once

#include <string>

#include "domain/base/result.h"

namespace rocksdb {
class Status;
}

namespace daybook::eventstore {

/// A RocksDB outcome in our words: `what: reason`. Corruption becomes kCorrupt, a lock held by
/// another opener kConflict, a missing path kNotFound, a bad argument kInvalid, the rest kIo.
Status from_rocks(const rocksdb::Status& status, const std::string& what);

}  // namespace daybook::eventstore
