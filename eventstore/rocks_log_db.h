#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/base/result.h"
#include "eventstore/log_rows.h"

namespace rocksdb {
class Env;
}

namespace daybook::eventstore {

/// The RocksDB directory under a RocksLog: settings, column families and synced writes. What the
/// rows mean is known to stored_log.cc and log_verify.cc.
class RocksLogDb final : public LogRows {
 public:
  enum class Mode { kCreate, kReadWrite, kReadOnly };
  /// What a write-ahead log may be that ends in more than an incomplete record. kUpToDamage ends it
  /// there; what follows is gone with an opening for writing.
  enum class Tail { kWhole, kUpToDamage };

  /// `env` null: the real one. Errors: kConflict: open for writing elsewhere; kCorrupt: its files
  /// are missing or damaged; kIo.
  static Result<std::unique_ptr<RocksLogDb>> open(const std::string& path, Mode mode,
                                                  rocksdb::Env* env, Tail tail = Tail::kWhole);
  ~RocksLogDb() override;
  RocksLogDb(const RocksLogDb&) = delete;
  RocksLogDb& operator=(const RocksLogDb&) = delete;

  Status write(const KvBatch& batch) override;
  Status background_failure() const override;
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override;
  Result<std::optional<Row>> last_before(Table table, std::string_view key) const override;
  std::unique_ptr<KvCursor> scan(Table table, std::string_view from) const override;

  /// Reads every block of every file and compares its checksum. Errors: kCorrupt naming the file;
  /// kIo, also when a writer in another process has deleted a file meanwhile.
  Status verify_checksums() const;

 private:
  class Core;
  explicit RocksLogDb(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace daybook::eventstore
