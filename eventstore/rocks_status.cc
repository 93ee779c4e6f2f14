#include "eventstore/rocks_status.h"

#include <cstdarg>

#include <rocksdb/env.h>
#include <rocksdb/status.h>

namespace daybook::eventstore {
namespace {

class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, std::va_list /*arguments*/) override {}
};

}  // namespace

std::shared_ptr<rocksdb::Logger> silent_logger() { return std::make_shared<SilentLogger>(); }

Status from_rocks(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return {};
  const std::string reason = status.ToString();
  const std::string message = what + ": " + reason;
  if (status.IsCorruption()) return corrupt(message);
  if (status.IsPathNotFound() || status.IsNotFound()) return not_found(message);
  // RocksDB calls it a wrong argument when it could not look whether the options fit. A file that
  // is not there may be damage; one that the system does not give is not.
  const bool could_not_look = reason.find("IO error: ") != std::string::npos &&
                              reason.find("No such file or directory") == std::string::npos;
  if (status.IsInvalidArgument() && !could_not_look) return invalid(message);
  // RocksDB has no code for it; these are its two wordings: another process, this process.
  if (status.IsIOError() && (reason.find("While lock file") != std::string::npos ||
                             reason.find("lock hold by current process") != std::string::npos)) {
    return conflict(what + ": already open for writing elsewhere: " + reason);
  }
  return io_error(message);
}

}  // namespace daybook::eventstore
