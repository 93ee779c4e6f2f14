#pragma once

#include <memory>
#include <string>

#include "domain/base/result.h"

namespace rocksdb {
class EventListener;
}  // namespace rocksdb

namespace daybook::eventstore {

/// Keeps the first error of a job that a RocksDB runs by itself. It may go on after some of them; a
/// ledger may not. Thread rule: any thread.
class BackgroundFailures {
 public:
  enum class Kept {
    kAll,
    /// But for a compaction that can be tried again, as when there was no space: nothing was lost,
    /// and RocksDB does so by itself.
    kWhatIsFinal,
  };
  explicit BackgroundFailures(Kept kept);

  /// For its options; may outlive this.
  std::shared_ptr<rocksdb::EventListener> listener() const;

  /// As from_rocks() tells it; OK: there was none.
  Status failure(const std::string& what) const;

 private:
  class Listener;
  std::shared_ptr<Listener> listener_;
};

}  // namespace daybook::eventstore
