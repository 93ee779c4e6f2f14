#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "domain/base/result.h"
#include "eventstore/files.h"

namespace daybook::eventstore {

/// The one process that writes a ledger, or a file beside one: an advisory lock (flock) on the
/// directory or file itself, in which there is nothing that somebody could take for stale and
/// delete. RocksDB's LOCK files stay what they are.
///
/// Thread rule: any. Crash: the kernel lets go of it with the process.
class PathLock {
 public:
  /// Errors: kNotFound: no such directory; kConflict: somebody has the lock, also in this process;
  /// kIo, also where the file system has no such locks.
  static Result<std::unique_ptr<PathLock>> take_directory(const std::string& path);
  /// The same of a regular file; kIo: it is something else.
  static Result<std::unique_ptr<PathLock>> take_file(const std::string& path);
  /// The same, and makes an empty file if there is none. kConflict also where another process put
  /// it to its place meanwhile.
  static Result<std::unique_ptr<PathLock>> take_new_file(const std::string& path);

  ~PathLock() = default;
  PathLock(const PathLock&) = delete;
  PathLock& operator=(const PathLock&) = delete;
  PathLock(PathLock&&) = delete;
  PathLock& operator=(PathLock&&) = delete;

  /// Whether it still exists, under whatever name, and a directory with these names in it.
  /// Errors: kIo naming what is gone.
  Status check_present(const std::vector<std::string>& names) const;

  /// The holder renamed it.
  void renamed_to(const std::string& path) { path_ = path; }

  /// Whether it still stands under its own name. Errors: kIo: another one or none does, or it
  /// cannot be told.
  Status check_named() const;

 private:
  PathLock(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  /// Whether the name still stands for what is open.
  bool is_named() const;
  /// Locks what was opened under that name.
  static Result<std::unique_ptr<PathLock>> take(const std::string& path, Descriptor file);

  std::string path_;
  Descriptor file_;
};

}  // namespace daybook::eventstore
