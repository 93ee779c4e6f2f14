#pragma once

#include <mutex>

#include <rocksdb/listener.h>
#include <rocksdb/status.h>

namespace daybook::eventstore {

/// Keeps the first error of a job that RocksDB runs by itself. It may go on after some of them; a
/// ledger may not. Thread rule: any thread.
class BackgroundFailures final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* error) override {
    const std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = *error;
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  rocksdb::Status failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  mutable std::mutex mutex_;
  rocksdb::Status failure_;
};

}  // namespace daybook::eventstore
