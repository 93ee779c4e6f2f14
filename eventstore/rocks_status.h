#pragma once

#include <memory>
#include <string>

#include "domain/base/result.h"

namespace rocksdb {
class Logger;
class Status;
}  // namespace rocksdb

namespace daybook::eventstore {

/// A RocksDB outcome in our words: `what: reason`. Corruption becomes kCorrupt, a lock held by
/// another opener kConflict, a missing path kNotFound, a bad argument kInvalid, the rest kIo.
Status from_rocks(const rocksdb::Status& status, const std::string& what);

/// Writes nothing. Without it RocksDB rotates the LOG file of a directory that it only reads.
std::shared_ptr<rocksdb::Logger> silent_logger();

}  // namespace daybook::eventstore
