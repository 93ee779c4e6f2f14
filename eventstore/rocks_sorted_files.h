#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "domain/base/result.h"
#include "eventstore/kv.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Status;
struct Options;
}  // namespace rocksdb

namespace daybook::eventstore {

/// A large batch on its way into a RocksDB directory as sorted files, one per table, past the
/// write-ahead log and the memtables: no row is compared with any other row of the table. The files
/// are as those of a flush, but are not read once more after they were written.
///
/// Thread rule: one thread. Crash: files that no ingest() has taken stay in their directory, which
/// the opener of the store empties (discard_sorted_files). What ingest() takes, all tables of it
/// together, is there or is not (an atomic group of the MANIFEST).
class SortedFiles {
 public:
  struct Family {
    rocksdb::ColumnFamilyHandle* handle;
    const rocksdb::Options* options;
  };
  using FamilyOf = std::function<Family(Table)>;

  /// `directory` is on the file system of the store; made if it is missing.
  explicit SortedFiles(std::string directory) : directory_(std::move(directory)) {}
  /// Removes what was not ingested.
  ~SortedFiles();
  SortedFiles(const SortedFiles&) = delete;
  SortedFiles& operator=(const SortedFiles&) = delete;

  /// Writes and syncs the files, on so many threads. REQUIRES: as KvStore::ingest, and called once.
  rocksdb::Status build(const KvBatch& batch, const FamilyOf& family_of, std::size_t threads);

  /// Makes all of them part of the store, above everything that is in it: for readers with a
  /// snapshot at once, for others table by table. REQUIRES: build() was OK; a snapshot is held, so
  /// that RocksDB gives all files one and the same new sequence number. Where the MANIFEST cannot
  /// be written the store fails, and may not open again: what it derives is built anew.
  rocksdb::Status ingest(rocksdb::DB& db) const;

 private:
  struct File {
    Family family;
    std::string path;
    std::string checksum;
    std::string checksum_function;
  };

  static rocksdb::Status write(File& file, std::span<const KvBatch::Operation> operations);

  std::string directory_;
  std::vector<File> files_;
};

/// Removes what a process that died left in the directory. Errors: kIo.
Status discard_sorted_files(const std::string& directory);

}  // namespace daybook::eventstore
