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
/// another opener kConflict, a missing path kNotFound, a bad argument kInvalid unless the system
/// refused something meanwhile, the rest kIo.
Status from_rocks(const rocksdb::Status& status, const std::string& what);

/// Writes nothing. RocksDB's own would rotate the LOG file of a directory that it only reads, and
/// where it checks itself (Debian) it aborts the process at the second line after a disk was full.
std::shared_ptr<rocksdb::Logger> silent_logger();

}  // namespace daybook::eventstore
