#pragma once

#include <memory>
#include <string>
#include <vector>

#include "domain/base/result.h"

namespace daybook::eventstore {

/// The one writer of a ledger: an advisory lock (flock) on the directory itself, in which there is
/// nothing that somebody could take for stale and delete. RocksDB's LOCK files stay what they are.
///
/// Thread rule: any. Crash: the kernel lets go of it with the process.
class DirectoryLock {
 public:
  /// Errors: kNotFound: no such directory; kConflict: somebody has the lock, also in this process;
  /// kIo, also where the file system has no such locks.
  static Result<std::unique_ptr<DirectoryLock>> take(const std::string& path);

  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  DirectoryLock(DirectoryLock&&) = delete;
  DirectoryLock& operator=(DirectoryLock&&) = delete;

  /// Whether the directory still exists, under whatever name, with these names in it.
  /// Errors: kIo naming what is gone.
  Status check_present(const std::vector<std::string>& names) const;

 private:
  DirectoryLock(std::string path, int file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  int file_;
};

}  // namespace daybook::eventstore
