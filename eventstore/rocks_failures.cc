#include "eventstore/rocks_failures.h"

#include <mutex>

#include <rocksdb/listener.h>

#include "eventstore/rocks_status.h"

namespace daybook::eventstore {

class BackgroundFailures::Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(Kept kept) : kept_(kept) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    if (!is_kept(reason, *error)) return;
    const std::lock_guard lock(mutex_);
    if (first_.ok()) first_ = *error;
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override {
    if (is_kept(reason, error)) *auto_recovery = false;
  }
  rocksdb::Status first() const {
    const std::lock_guard lock(mutex_);
    return first_;
  }

 private:
  bool is_kept(rocksdb::BackgroundErrorReason reason, const rocksdb::Status& error) const {
    return kept_ == Kept::kAll || reason != rocksdb::BackgroundErrorReason::kCompaction ||
           error.severity() >= rocksdb::Status::kHardError;
  }

  const Kept kept_;
  mutable std::mutex mutex_;
  rocksdb::Status first_;
};

BackgroundFailures::BackgroundFailures(Kept kept) : listener_(std::make_shared<Listener>(kept)) {}

std::shared_ptr<rocksdb::EventListener> BackgroundFailures::listener() const { return listener_; }

Status BackgroundFailures::failure(const std::string& what) const {
  return from_rocks(listener_->first(), what);
}

}  // namespace daybook::eventstore
