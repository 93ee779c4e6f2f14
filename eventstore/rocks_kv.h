#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eventstore/kv.h"

namespace rocksdb {
class Env;
}

namespace daybook::eventstore {

/// The KvStore on a RocksDB directory, one column family per table.
///
/// By default without a write-ahead log, as kv.h describes: what is not flushed is rebuilt from the
/// log. With `durable` every write is logged and synced before it answers, and all tables stand or
/// fall together: for what no log can rebuild.
///
/// Thread rule: as kv.h. Destroying it tries to flush, also after an error, cuts off a flush that
/// was begun, and tells nobody how that went: whoever counts on it calls flush(), and only a
/// process that ends without destroying it leaves what a crash leaves.
class RocksKv final : public KvStore {
 public:
  enum class Mode {
    kReadWrite,  ///< Creates directory (not its parents) and tables that are missing. One opener.
    kReadOnly,   ///< What is flushed at the moment of opening, also beside a writer in another
                 ///< process; a table that is missing reads as empty. Writes nothing.
  };
  struct Options {
    Mode mode = Mode::kReadWrite;
    bool durable = false;
    /// Of all tables together, then they begin to be flushed; they grow on meanwhile.
    std::size_t memtable_bytes = std::size_t{48} << 20;
    std::size_t block_cache_bytes = std::size_t{64} << 20;  ///< Of all tables.
    std::size_t ingest_threads = 1;  ///< That write the sorted files of one ingestion.
    std::string way_out;  ///< Ends the message of every kCorrupt: what the operator can do.
  };

  /// Tables of the directory that are not named keep their rows and cannot be reached.
  /// REQUIRES: names are not empty, differ, and none is `default`.
  /// Errors: kConflict: open for writing elsewhere; kNotFound: nothing there to read; kCorrupt;
  /// kIo.
  static Result<std::unique_ptr<RocksKv>> open(const std::string& path,
                                               const std::vector<TableSpec>& tables,
                                               const Options& options);

  ~RocksKv() override;

  Status write(const KvBatch& batch) override;
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override;
  std::unique_ptr<KvReader> snapshot() const override;
  Status flush() override;
  Status begin_flush() override;
  /// Without a write-ahead log: past the memtables (rocks_sorted_files.h), unless compaction is far
  /// behind; then as write(), which RocksDB slows down.
  Status ingest(const KvBatch& batch) override;
  Status clear(Table table) override;
  Status purge(Table table) override;

  /// Why nothing can be written any more; OK until a write or flush has failed, or a compaction
  /// that cannot be tried again.
  Status failure() const;

  /// Reads every block of every file and compares its checksum. Errors: kCorrupt naming the file;
  /// kIo, also when a writer in another process has deleted a file meanwhile.
  Status verify_checksums() const;

 private:
  class Core;
  explicit RocksKv(std::unique_ptr<Core> core);
  friend Result<std::unique_ptr<RocksKv>> open_rocks_kv_for_test(
      const std::string& path, const std::vector<TableSpec>& tables, const Options& options,
      rocksdb::Env* env);

  std::unique_ptr<Core> core_;
};

}  // namespace daybook::eventstore
