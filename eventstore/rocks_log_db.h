#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "domain/base/result.h"
#include "eventstore/kv.h"

namespace rocksdb {
class Env;
}

namespace daybook::eventstore {

/// The RocksDB directory under a RocksLog: settings, column families and synced writes. What the
/// rows mean is known to rocks_log.cc and rocks_log_verify.cc.
///
/// Thread rule: write() by one thread, the rest by any.
class RocksLogDb {
 public:
  static constexpr Table kEntries = 0;
  static constexpr Table kMeta = 1;
  static constexpr Table kQuarantine = 2;

  enum class Mode { kCreate, kReadWrite, kReadOnly };

  /// `env` null: the real one. Errors: kConflict: open for writing elsewhere; kCorrupt: its files
  /// are missing or damaged; kIo.
  static Result<std::unique_ptr<RocksLogDb>> open(const std::string& path, Mode mode,
                                                  rocksdb::Env* env);
  ~RocksLogDb();
  RocksLogDb(const RocksLogDb&) = delete;
  RocksLogDb& operator=(const RocksLogDb&) = delete;

  /// All of the batch, logged and synced.
  Status write(const KvBatch& batch);

  /// Not OK once RocksDB met an error in a background job: nothing may be acknowledged any more.
  Status background_failure() const;

  Result<std::optional<std::string>> get(Table table, std::string_view key) const;

  /// Reads every block of every file and compares its checksum. Errors: kCorrupt naming the file;
  /// kIo, also when a writer in another process has deleted a file meanwhile.
  Status verify_checksums() const;

  using Row = std::pair<std::string, std::string>;
  /// The last row whose key is less than `key`.
  Result<std::optional<Row>> last_before(Table table, std::string_view key) const;

  /// Rows in key order from `from` on, of this moment. Must not outlive this.
  std::unique_ptr<KvCursor> scan(Table table, std::string_view from) const;

 private:
  class Core;
  explicit RocksLogDb(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace daybook::eventstore
