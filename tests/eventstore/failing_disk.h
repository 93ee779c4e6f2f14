// A disk under RocksDB that fails when a test says so.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace daybook::eventstore {

/// What the disk still does: each count is of calls that succeed; negative: all.
struct DiskFaults {
  std::atomic<int> wal_syncs_left{-1};
  std::atomic<int> wal_appends_left{-1};
  std::atomic<bool> tables_fail{false};
  std::atomic<bool> tables_held{false};  ///< Nothing creates one until this changes (`hold`).
  std::atomic<int> tables_left{-1};      ///< Creations; then there is no space, once.
  std::atomic<int> wal_reads_left{-1};   ///< Openings of one for reading; the file is gone, once.

  void hold(bool held) {
    tables_held = held;
    tables_held.notify_all();
  }

  static bool take(std::atomic<int>& left) {
    int seen = left;
    // Zero becomes negative: one failure only. What follows would succeed, and must not be tried.
    while (seen >= 0 && !left.compare_exchange_weak(seen, seen - 1)) {
    }
    return seen != 0;
  }
};

inline rocksdb::IOStatus broken(const char* what) {
  return rocksdb::IOStatus::IOError(what, "on order");
}

class FailingFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FailingFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, DiskFaults& faults)
      : FSWritableFileOwnerWrapper(std::move(file)), faults_(faults) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
    if (!DiskFaults::take(faults_.wal_appends_left)) return broken("append");
    return FSWritableFileOwnerWrapper::Append(data, options, context);
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& info,
                           rocksdb::IODebugContext* context) override {
    if (!DiskFaults::take(faults_.wal_appends_left)) return broken("append");
    return FSWritableFileOwnerWrapper::Append(data, options, info, context);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* context) override {
    if (!DiskFaults::take(faults_.wal_syncs_left)) return broken("sync");
    return FSWritableFileOwnerWrapper::Sync(options, context);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* context) override {
    if (!DiskFaults::take(faults_.wal_syncs_left)) return broken("fsync");
    return FSWritableFileOwnerWrapper::Fsync(options, context);
  }

 private:
  DiskFaults& faults_;
};

class FailingFs final : public rocksdb::FileSystemWrapper {
 public:
  explicit FailingFs(DiskFaults& faults)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), faults_(faults) {}
  const char* Name() const override { return "FailingFs"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* context) override {
    const bool is_table = name.ends_with(".sst");
    if (is_table) faults_.tables_held.wait(true);
    if (faults_.tables_fail && is_table) return broken("create");
    if (is_table && !DiskFaults::take(faults_.tables_left)) {
      return rocksdb::IOStatus::NoSpace("create", "on order");
    }
    const auto status = FileSystemWrapper::NewWritableFile(name, options, file, context);
    if (status.ok() && name.ends_with(".log")) {
      *file = std::make_unique<FailingFile>(std::move(*file), faults_);
    }
    return status;
  }

  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* context) override {
    if (name.ends_with(".log") && !DiskFaults::take(faults_.wal_reads_left)) {
      return rocksdb::IOStatus::PathNotFound(name, "gone");
    }
    return FileSystemWrapper::NewSequentialFile(name, options, file, context);
  }

 private:
  DiskFaults& faults_;
};

struct Disk {
  DiskFaults faults;
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(std::make_shared<FailingFs>(faults));
};

}  // namespace daybook::eventstore
