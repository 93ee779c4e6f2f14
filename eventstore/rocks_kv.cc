#include "eventstore/rocks_kv.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <utility>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include "domain/base/check.h"
#include "eventstore/files.h"
#include "eventstore/rocks_failures.h"
#include "eventstore/rocks_kv_testing.h"
#include "eventstore/rocks_sorted_files.h"
#include "eventstore/rocks_status.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kTableMemtableBytes = std::size_t{32} << 20;
constexpr std::size_t kDurableWalBytesMax = std::size_t{16} << 20;
constexpr std::size_t kScanBlockBytes = std::size_t{16} << 10;
constexpr std::size_t kPointBlockBytes = std::size_t{4} << 10;
// Files of one table that are not sorted together: from how many on compaction starts, ingested
// batches go through memtables, RocksDB slows writers down, and stops them.
constexpr int kFilesToCompact = 8;
constexpr int kFilesToIngestMax = 20;
constexpr int kFilesToSlowDown = 24;
constexpr int kFilesToStop = 36;
constexpr int kFilterBitsPerKey = 12;
constexpr std::size_t kProtectionBytesPerKey = 8;
constexpr int kReadOnlyOpenAttempts = 20;  // Beside erasures, which rewrite files, a third fail.
constexpr std::chrono::milliseconds kReadOnlyOpenPause{20};

using Handle = std::shared_ptr<rocksdb::ColumnFamilyHandle>;

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

/// A memtable looks for the place of a new row beside the row before it: a batch is written in key
/// order (projector.cc), and finding places was half the cost of the read models. Every key has the
/// same prefix here, so that a table remembers one place.
class BesideTheLast final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "daybook.BesideTheLast"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), 0}; }
  bool InDomain(const rocksdb::Slice& /*key*/) const override { return true; }
};

rocksdb::DBOptions db_options(const RocksKv::Options& options, rocksdb::Env* env,
                              const BackgroundFailures& failures) {
  rocksdb::DBOptions db;
  if (env != nullptr) db.env = env;
  db.create_if_missing = options.mode == RocksKv::Mode::kReadWrite;
  db.create_missing_column_families = db.create_if_missing;
  db.paranoid_checks = true;
  db.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(options.memtable_bytes);
  db.max_background_jobs = 2;  // Below 8 on purpose: 7.8 may retry a failed flush out of order.
  db.max_bgerror_resume_count = 0;
  db.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db.recycle_log_file_num = 0;
  db.max_total_wal_size = kDurableWalBytesMax;
  db.avoid_flush_during_shutdown = false;
  db.listeners.push_back(failures.listener());
  db.info_log = silent_logger();
  db.stats_dump_period_sec = 0;
  return db;
}

rocksdb::ColumnFamilyOptions table_options(TableSpec::Use use,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions blocks;
  blocks.block_cache = cache;
  blocks.block_size = kScanBlockBytes;
  blocks.format_version = 5;
  rocksdb::ColumnFamilyOptions table;
  if (use == TableSpec::Use::kPointLookups) {
    blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kFilterBitsPerKey));
    blocks.whole_key_filtering = true;
    blocks.block_size = kPointBlockBytes;
    table.memtable_whole_key_filtering = true;
    table.memtable_prefix_bloom_size_ratio = 0.02;
  }
  table.memtable_insert_with_hint_prefix_extractor = std::make_shared<BesideTheLast>();
  table.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  table.write_buffer_size = kTableMemtableBytes;
  table.max_write_buffer_number = 2;
  table.level0_file_num_compaction_trigger = kFilesToCompact;
  table.level0_slowdown_writes_trigger = kFilesToSlowDown;
  table.level0_stop_writes_trigger = kFilesToStop;
  table.compression = rocksdb::kLZ4Compression;
  table.level_compaction_dynamic_level_bytes = true;
  table.paranoid_file_checks = true;
  return table;
}

/// What a store says when RocksDB fails: its path, and the way out where files are damaged.
class Failures {
 public:
  Failures(const std::string& path, std::string way_out)
      : path_(path), way_out_(std::move(way_out)) {}

  Status status(const rocksdb::Status& status, const char* doing) const {
    return told(from_rocks(status, path_ + ": " + doing));
  }
  Status status(const BackgroundFailures& background) const {
    return told(background.failure(path_ + ": background job"));
  }
  /// Of an opening that nobody else can have taken files from: one that is missing is damage.
  Status opening_alone(const rocksdb::Status& opened) const {
    const Status said = status(opened, "open");
    return said.code() == StatusCode::kNotFound ? damaged(said.message()) : said;
  }

 private:
  Status told(const Status& said) const {
    return said.code() == StatusCode::kCorrupt ? damaged(said.message()) : said;
  }
  Status damaged(const std::string& message) const {
    return corrupt(way_out_.empty() ? message : message + "; " + way_out_);
  }

  std::string path_;
  std::string way_out_;
};

/// Rows of one table under one snapshot, or of nothing.
class RocksCursor final : public KvCursor {
 public:
  RocksCursor(rocksdb::DB* db, rocksdb::ReadOptions options, const Failures& failures,
              Handle handle, std::string_view from, std::string_view to, bool backwards)
      : failures_(failures),
        handle_(std::move(handle)),
        from_(from),
        to_(to),
        backwards_(backwards) {
    if (handle_ == nullptr || (!to.empty() && to <= from)) return;
    lower_ = from_;
    upper_ = to_;
    options.iterate_lower_bound = &lower_;
    if (!to_.empty()) options.iterate_upper_bound = &upper_;
    rows_.reset(db->NewIterator(options, handle_.get()));
    if (backwards_) {
      rows_->SeekToLast();
    } else {
      rows_->Seek(lower_);
    }
  }

  bool valid() const override { return rows_ != nullptr && rows_->Valid(); }
  void next() override {
    CHECK(valid());
    if (backwards_) {
      rows_->Prev();
    } else {
      rows_->Next();
    }
  }
  std::string_view key() const override {
    CHECK(valid());
    return view(rows_->key());
  }
  std::string_view value() const override {
    CHECK(valid());
    return view(rows_->value());
  }
  Status status() const override {
    return rows_ == nullptr ? Status() : failures_.status(rows_->status(), "scan");
  }

 private:
  const Failures& failures_;
  Handle handle_;
  std::string from_;
  std::string to_;
  bool backwards_;
  rocksdb::Slice lower_;
  rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> rows_;
};

Result<std::optional<std::string>> get_row(rocksdb::DB* db, const rocksdb::Snapshot* snapshot,
                                           const Failures& failures,
                                           rocksdb::ColumnFamilyHandle* handle,
                                           std::string_view key) {
  if (handle == nullptr) return std::optional<std::string>();
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db->Get(options, handle, slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return failures.status(status, "get");
  return std::optional<std::string>(value.ToString());
}

class RocksReader final : public KvReader {
 public:
  RocksReader(rocksdb::DB* db, const Failures& failures, const std::vector<TableSpec>& tables,
              std::vector<Handle> handles)
      : db_(db),
        failures_(failures),
        tables_(tables),
        handles_(std::move(handles)),
        snapshot_(db->GetSnapshot()) {}
  ~RocksReader() override { db_->ReleaseSnapshot(snapshot_); }
  RocksReader(const RocksReader&) = delete;
  RocksReader& operator=(const RocksReader&) = delete;

  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    CHECK(table < handles_.size());
    return get_row(db_, snapshot_, failures_, handles_[table].get(), key);
  }
  std::unique_ptr<KvCursor> scan(Table table, std::string_view from,
                                 std::string_view to) const override {
    CHECK(table < handles_.size());
    return std::make_unique<RocksCursor>(db_, options_of(table), failures_, handles_[table], from,
                                         to, false);
  }
  std::unique_ptr<KvCursor> scan_backwards(Table table, std::string_view from,
                                           std::string_view to) const override {
    CHECK(table < handles_.size());
    return std::make_unique<RocksCursor>(db_, options_of(table), failures_, handles_[table], from,
                                         to, true);
  }

 private:
  rocksdb::ReadOptions options_of(Table table) const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    options.total_order_seek = true;
    // Such a table is scanned as a whole, and what is looked up in it is to stay in the cache.
    options.fill_cache = tables_[table].use != TableSpec::Use::kPointLookups;
    return options;
  }

  rocksdb::DB* db_;
  const Failures& failures_;
  const std::vector<TableSpec>& tables_;
  std::vector<Handle> handles_;
  const rocksdb::Snapshot* snapshot_;
};

}  // namespace

class RocksKv::Core {
 public:
  Core(std::string path, std::vector<TableSpec> tables, Options options, rocksdb::Env* env)
      : path_(std::move(path)),
        tables_(std::move(tables)),
        options_(std::move(options)),
        env_(env),
        failures_(path_, options_.way_out),
        cache_(rocksdb::NewLRUCache(options_.block_cache_bytes)),
        handles_(tables_.size()) {}

  ~Core() {
    handles_.clear();
    others_.clear();
    if (db_ != nullptr) db_->Close().PermitUncheckedError();
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Status open() {
    if (!read_only()) return open_once();
    // A writer may delete a file between our reading of its name and our opening it.
    for (int attempt = 1;; ++attempt) {
      const Status status = open_once();
      if (status.ok() || attempt == kReadOnlyOpenAttempts || !path_exists(path_ + "/CURRENT")) {
        return status;
      }
      std::this_thread::sleep_for(kReadOnlyOpenPause);  // bounded
    }
  }

  Status write(const KvBatch& batch) {
    if (read_only()) return invalid(path_ + ": opened for reading only");
    rocksdb::WriteBatch operations(0, 0, kProtectionBytesPerKey, 0);
    const std::shared_lock lock(mutex_);
    const Status before = failure();
    if (!before.ok()) return before;
    for (const KvBatch::Operation& operation : batch.operations()) {
      CHECK(operation.table < handles_.size());
      rocksdb::ColumnFamilyHandle* const handle = handles_[operation.table].get();
      const rocksdb::Status added =
          operation.value ? operations.Put(handle, slice(operation.key), slice(*operation.value))
                          : operations.Delete(handle, slice(operation.key));
      if (!added.ok()) return failures_.status(added, "batch");
    }
    rocksdb::WriteOptions options;
    options.disableWAL = !options_.durable;
    options.sync = options_.durable;
    return settled(db_->Write(options, &operations), "write");
  }

  Result<std::optional<std::string>> get(Table table, std::string_view key) const {
    CHECK(table < tables_.size());
    const std::shared_lock lock(mutex_);
    return get_row(db_.get(), reading_at_, failures_, handles_[table].get(), key);
  }

  std::unique_ptr<KvReader> snapshot() const {
    const std::shared_lock lock(mutex_);
    return std::make_unique<RocksReader>(db_.get(), failures_, tables_, handles_);
  }

  Status flush() { return flush(rocksdb::FlushOptions()); }

  Status begin_flush() {
    rocksdb::FlushOptions options;
    options.wait = false;
    return flush(options);
  }

  Status flush(const rocksdb::FlushOptions& options) {
    if (read_only()) return {};
    const std::shared_lock lock(mutex_);
    const Status before = failure();
    if (!before.ok()) return before;
    if (options_.durable) return {};  // Every write was synced.
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    for (const Handle& handle : handles_) handles.push_back(handle.get());
    rocksdb::Status done = db_->Flush(options, handles);
    // It begins nothing where writes are stopped; one that is waited for ends that.
    if (!options.wait && done.IsTryAgain()) done = db_->Flush(rocksdb::FlushOptions(), handles);
    return settled(done, "flush");
  }

  /// Empty: it is to be written.
  std::optional<Status> ingest(const KvBatch& batch) {
    if (read_only() || options_.durable || compaction_is_behind()) return std::nullopt;
    const Status flushed = flush();  // So that all tables stand at the batch before.
    if (!flushed.ok()) return flushed;
    SortedFiles files(sorted_files_directory());
    {
      const std::shared_lock lock(mutex_);
      const auto family_of = [this](Table table) {
        CHECK(table < handles_.size());
        return SortedFiles::Family{handles_[table].get(), &file_options_[table]};
      };
      const Status built =
          settled(files.build(batch, family_of, options_.ingest_threads), "sorted files");
      if (!built.ok()) return built;
    }
    // RocksDB takes all files in at one sequence number, if there is a snapshot: what reads at one
    // then sees all tables of the batch or none, and only reads without one are held back, at it.
    read_at(db_->GetSnapshot());
    Status taken = settled(files.ingest(*db_), "ingest");
    db_->ReleaseSnapshot(read_at(nullptr));
    return taken;
  }

  Status clear(Table table) {
    CHECK(table < tables_.size());
    if (read_only()) return invalid(path_ + ": opened for reading only");
    // Drop and create rather than DeleteRange, which has had bugs beyond 7.8. A snapshot keeps the
    // old rows by its own handle; a crash between the two leaves a table that open() creates.
    const std::unique_lock lock(mutex_);
    const Status before = failure();
    if (!before.ok()) return before;
    Status status = settled(db_->DropColumnFamily(handles_[table].get()), "drop table");
    if (!status.ok()) return status;
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    status = settled(db_->CreateColumnFamily(table_options(tables_[table].use, cache_),
                                             tables_[table].name, &handle),
                     "create table");
    if (status.ok()) handles_[table] = owned(handle);
    return status;
  }

  /// Erased rows live on in memtables, sorted files and the write-ahead log: flush every table, so
  /// that the log is dropped, and rewrite the files of this one down to the last level.
  Status purge(Table table) {
    CHECK(table < tables_.size());
    if (read_only()) return invalid(path_ + ": opened for reading only");
    const std::shared_lock lock(mutex_);
    const Status before = failure();
    if (!before.ok()) return before;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    for (const Handle& handle : handles_) handles.push_back(handle.get());
    for (const Handle& handle : others_) handles.push_back(handle.get());
    const Status flushed = settled(db_->Flush(rocksdb::FlushOptions(), handles), "flush");
    if (!flushed.ok()) return flushed;
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    return settled(db_->CompactRange(options, handles_[table].get(), nullptr, nullptr), "purge");
  }

  Status failure() const {
    const std::lock_guard lock(failure_mutex_);
    return failed_.ok() ? failures_.status(background_) : failed_;
  }

  Status verify_checksums() const {
    return failures_.status(db_->VerifyChecksum(rocksdb::ReadOptions()), "checksums");
  }

 private:
  bool read_only() const { return options_.mode == Mode::kReadOnly; }
  Status open_failed(const rocksdb::Status& opened) const {
    return read_only() ? failures_.status(opened, "open") : failures_.opening_alone(opened);
  }

  Handle owned(rocksdb::ColumnFamilyHandle* handle) {
    return {handle, [db = db_.get()](rocksdb::ColumnFamilyHandle* closed) {
              db->DestroyColumnFamilyHandle(closed).PermitUncheckedError();
            }};
  }

  /// Where get() reads from now on, null: the newest. Gives where it did.
  const rocksdb::Snapshot* read_at(const rocksdb::Snapshot* snapshot) {
    const std::unique_lock lock(mutex_);
    return std::exchange(reading_at_, snapshot);
  }

  std::string sorted_files_directory() const { return path_ + "/ingest"; }

  /// RocksDB slows writers down that bring more than it can sort together, and does not slow down
  /// an ingestion.
  bool compaction_is_behind() const {
    const std::shared_lock lock(mutex_);
    for (const Handle& handle : handles_) {
      std::string files;
      db_->GetProperty(handle.get(), rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files);
      if (files.size() > 1 && std::stoi(files) >= kFilesToIngestMax) return true;
    }
    return false;
  }

  /// A failed write is final, whatever RocksDB thinks of it.
  Status settled(const rocksdb::Status& status, const char* doing) {
    if (status.ok()) return {};
    const std::lock_guard lock(failure_mutex_);
    failed_ = failures_.status(status, doing);
    return failed_;
  }

  Status open_once() {
    const rocksdb::DBOptions options = db_options(options_, env_, background_);
    file_options_.clear();
    for (const TableSpec& table : tables_) {
      file_options_.emplace_back(options, table_options(table.use, cache_));
    }
    std::vector<std::string> existing;
    const std::string current = path_ + "/CURRENT";
    if (Status seen = check_reachable(current); !seen.ok()) return seen;
    if (path_exists(current)) {
      const auto listed = rocksdb::DB::ListColumnFamilies(options, path_, &existing);
      if (!listed.ok()) return open_failed(listed);
    } else if (read_only()) {
      return not_found(path_ + ": no store there");
    }
    const auto exists = [&existing](const std::string& name) {
      return std::find(existing.begin(), existing.end(), name) != existing.end();
    };

    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    std::vector<std::size_t> table_of;  // Of each family; tables_.size(): none of ours.
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      if (read_only() && !exists(tables_[i].name)) continue;
      families.emplace_back(tables_[i].name, table_options(tables_[i].use, cache_));
      table_of.push_back(i);
    }
    // RocksDB writes only to a directory all of whose families are open, and always wants
    // `default`.
    existing.push_back(rocksdb::kDefaultColumnFamilyName);
    for (const std::string& name : existing) {
      const bool named = std::any_of(families.begin(), families.end(),
                                     [&name](const auto& family) { return family.name == name; });
      if (named || (read_only() && name != rocksdb::kDefaultColumnFamilyName)) continue;
      families.emplace_back(name, table_options(TableSpec::Use::kScans, cache_));
      table_of.push_back(tables_.size());
    }

    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    const rocksdb::Status opened =
        read_only() ? rocksdb::DB::OpenForReadOnly(options, path_, families, &handles, &db)
                    : rocksdb::DB::Open(options, path_, families, &handles, &db);
    if (!opened.ok()) return open_failed(opened);
    db_.reset(db);
    for (std::size_t i = 0; i < handles.size(); ++i) {
      if (table_of[i] < tables_.size()) {
        handles_[table_of[i]] = owned(handles[i]);
      } else {
        others_.push_back(owned(handles[i]));
      }
    }
    return read_only() ? Status() : discard_sorted_files(sorted_files_directory());
  }

  const std::string path_;
  const std::vector<TableSpec> tables_;
  const Options options_;
  rocksdb::Env* const env_;  ///< Null: the real one.
  const Failures failures_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const BackgroundFailures background_{BackgroundFailures::Kept::kWhatIsFinal};
  std::unique_ptr<rocksdb::DB> db_;
  /// Held exclusively only while a table is replaced or reading_at_ set.
  mutable std::shared_mutex mutex_;
  const rocksdb::Snapshot* reading_at_ = nullptr;  ///< While sorted files are taken in.
  std::vector<Handle> handles_;
  std::vector<Handle> others_;
  std::vector<rocksdb::Options> file_options_;  ///< Of the sorted files of each table.
  mutable std::mutex failure_mutex_;
  Status failed_;  ///< Guarded by failure_mutex_.
};

Result<std::unique_ptr<RocksKv>> RocksKv::open(const std::string& path,
                                               const std::vector<TableSpec>& tables,
                                               const Options& options) {
  return open_rocks_kv_for_test(path, tables, options, nullptr);
}

Result<std::unique_ptr<RocksKv>> open_rocks_kv_for_test(const std::string& path,
                                                        const std::vector<TableSpec>& tables,
                                                        const RocksKv::Options& options,
                                                        rocksdb::Env* env) {
  for (std::size_t i = 0; i < tables.size(); ++i) {
    CHECK(!tables[i].name.empty() && tables[i].name != rocksdb::kDefaultColumnFamilyName);
    for (std::size_t k = 0; k < i; ++k) CHECK(tables[i].name != tables[k].name);
  }
  auto core = std::make_unique<RocksKv::Core>(path, tables, options, env);
  const Status opened = core->open();
  if (!opened.ok()) return opened;
  return std::unique_ptr<RocksKv>(new RocksKv(std::move(core)));
}

RocksKv::RocksKv(std::unique_ptr<Core> core) : core_(std::move(core)) {}
RocksKv::~RocksKv() = default;

Status RocksKv::write(const KvBatch& batch) { return core_->write(batch); }

Result<std::optional<std::string>> RocksKv::get(Table table, std::string_view key) const {
  return core_->get(table, key);
}

std::unique_ptr<KvReader> RocksKv::snapshot() const { return core_->snapshot(); }
Status RocksKv::flush() { return core_->flush(); }
Status RocksKv::begin_flush() { return core_->begin_flush(); }
Status RocksKv::ingest(const KvBatch& batch) {
  const auto ingested = core_->ingest(batch);
  return ingested ? *ingested : KvStore::ingest(batch);
}
Status RocksKv::clear(Table table) { return core_->clear(table); }
Status RocksKv::purge(Table table) { return core_->purge(table); }
Status RocksKv::failure() const { return core_->failure(); }
Status RocksKv::verify_checksums() const { return core_->verify_checksums(); }

}  // namespace daybook::eventstore
