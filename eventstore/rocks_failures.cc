#include "eventstore/rocks_failures.h"

#include <mutex>

#include <rocksdb/listener.h>

#include "eventstore/rocks_status.h"

namespace daybook::eventstore {

class BackgroundFailures::Listener final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* error) override {
    const std::lock_guard lock(mutex_);
    if (first_.ok()) first_ = *error;
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  rocksdb::Status first() const {
    const std::lock_guard lock(mutex_);
    return first_;
  }

 private:
  mutable std::mutex mutex_;
  rocksdb::Status first_;
};

BackgroundFailures::BackgroundFailures() : listener_(std::make_shared<Listener>()) {}

std::shared_ptr<rocksdb::EventListener> BackgroundFailures::listener() const { return listener_; }

Status BackgroundFailures::failure(const std::string& what) const {
  return from_rocks(listener_->first(), what);
}

}  // namespace daybook::eventstore
