#include "eventstore/rocks_status.h"

#include <rocksdb/status.h>

namespace daybook::eventstore {

Status from_rocks(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return {};
  const std::string reason = status.ToString();
  const std::string message = what + ": " + reason;
  if (status.IsCorruption()) return corrupt(message);
  if (status.IsPathNotFound() || status.IsNotFound()) return not_found(message);
  if (status.IsInvalidArgument()) return invalid(message);
  // RocksDB has no code for it; these are its two wordings: another process, this process.
  if (status.IsIOError() && (reason.find("While lock file") != std::string::npos ||
                             reason.find("lock hold by current process") != std::string::npos)) {
    return conflict(what + ": already open for writing elsewhere: " + reason);
  }
  return io_error(message);
}

}  // namespace daybook::eventstore
