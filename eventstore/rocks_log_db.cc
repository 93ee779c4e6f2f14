#include "eventstore/rocks_log_db.h"

#include <array>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "domain/base/check.h"
#include "eventstore/rocks_failures.h"
#include "eventstore/rocks_status.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kMemtableBytes = std::size_t{32} << 20;  // Two of them: 64 MiB.
constexpr std::size_t kSmallMemtableBytes = std::size_t{1} << 20;
constexpr std::size_t kWalBytesMax = std::size_t{64} << 20;
constexpr std::size_t kBlockCacheBytes = std::size_t{16} << 20;
constexpr std::size_t kBlockBytes = std::size_t{32} << 10;
constexpr std::size_t kProtectionBytesPerKey = 8;
constexpr std::array<const char*, 3> kFamilyNames = {"entries", "meta", "quarantine"};

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

rocksdb::DBOptions db_options(RocksLogDb::Mode mode, RocksLogDb::Tail tail, rocksdb::Env* env,
                              const BackgroundFailures& failures) {
  rocksdb::DBOptions db;
  if (env != nullptr) db.env = env;
  db.create_if_missing = mode == RocksLogDb::Mode::kCreate;
  db.create_missing_column_families = db.create_if_missing;
  db.paranoid_checks = true;
  // The default, point in time, opens happily on the first of two halves of the log; this one
  // refuses damage in the middle, and our own checks refuse the rest.
  db.wal_recovery_mode = tail == RocksLogDb::Tail::kWhole
                             ? rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords
                             : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.recycle_log_file_num = 0;
  db.enable_pipelined_write = false;
  db.manual_wal_flush = false;
  db.track_and_verify_wals_in_manifest = false;  // False alarms in 7.8.
  db.max_total_wal_size = kWalBytesMax;
  // What recovery read is written anew and synced: a page that the kernel calls clean after a
  // failed sync may never have reached the disk.
  db.avoid_flush_during_recovery = false;
  db.avoid_flush_during_shutdown = false;
  db.max_background_jobs = 2;
  db.max_bgerror_resume_count = 0;
  db.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  db.listeners.push_back(failures.listener());
  db.info_log = silent_logger();
  db.stats_dump_period_sec = 0;
  return db;
}

rocksdb::ColumnFamilyOptions family_options(std::size_t memtable_bytes,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions blocks;
  blocks.block_cache = cache;
  blocks.block_size = kBlockBytes;
  blocks.format_version = 5;
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  family.write_buffer_size = memtable_bytes;
  family.max_write_buffer_number = 2;
  // Entries are compressed already, and only files of equal compression are moved between levels
  // without being written again.
  family.compression = rocksdb::kNoCompression;
  family.paranoid_file_checks = true;
  return family;
}

class RowCursor final : public KvCursor {
 public:
  explicit RowCursor(std::unique_ptr<rocksdb::Iterator> rows) : rows_(std::move(rows)) {}

  bool valid() const override { return rows_->Valid(); }
  void next() override { rows_->Next(); }
  std::string_view key() const override { return view(rows_->key()); }
  std::string_view value() const override { return view(rows_->value()); }
  Status status() const override { return from_rocks(rows_->status(), "read log"); }

 private:
  std::unique_ptr<rocksdb::Iterator> rows_;
};

}  // namespace

class RocksLogDb::Core {
 public:
  ~Core() {
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
    if (db != nullptr) db->Close().PermitUncheckedError();
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  Core() = default;

  rocksdb::ColumnFamilyHandle* family(Table table) const {
    CHECK(table < kFamilyNames.size());
    return handles[table];
  }

  std::string path;
  BackgroundFailures failures{BackgroundFailures::Kept::kAll};
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
};

Result<std::unique_ptr<RocksLogDb>> RocksLogDb::open(const std::string& path, Mode mode,
                                                     rocksdb::Env* env, Tail tail) {
  auto core = std::make_unique<Core>();
  core->path = path;
  const rocksdb::DBOptions options = db_options(mode, tail, env, core->failures);
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : kFamilyNames) {
    families.emplace_back(
        name, family_options(name == kFamilyNames[kEntries] ? kMemtableBytes : kSmallMemtableBytes,
                             cache));
  }
  families.emplace_back(rocksdb::kDefaultColumnFamilyName,
                        family_options(kSmallMemtableBytes, cache));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened =
      mode == Mode::kReadOnly
          ? rocksdb::DB::OpenForReadOnly(options, path, families, &core->handles, &db)
          : rocksdb::DB::Open(options, path, families, &core->handles, &db);
  core->db.reset(db);
  if (!opened.ok()) {
    const Status status = from_rocks(opened, path);
    // It is known to have existed: files or families that are gone are damage.
    const bool damage = mode != Mode::kCreate && (status.code() == StatusCode::kNotFound ||
                                                  status.code() == StatusCode::kInvalid);
    return damage ? corrupt(status.message()) : status;
  }
  return std::unique_ptr<RocksLogDb>(new RocksLogDb(std::move(core)));
}

RocksLogDb::RocksLogDb(std::unique_ptr<Core> core) : core_(std::move(core)) {}
RocksLogDb::~RocksLogDb() = default;

Status RocksLogDb::write(const KvBatch& batch) {
  rocksdb::WriteBatch operations(0, 0, kProtectionBytesPerKey, 0);
  for (const KvBatch::Operation& operation : batch.operations()) {
    rocksdb::ColumnFamilyHandle* const family = core_->family(operation.table);
    const rocksdb::Status added =
        operation.value ? operations.Put(family, slice(operation.key), slice(*operation.value))
                        : operations.Delete(family, slice(operation.key));
    if (!added.ok()) return from_rocks(added, core_->path + ": batch");
  }
  rocksdb::WriteOptions options;
  options.sync = true;
  return from_rocks(core_->db->Write(options, &operations), core_->path + ": write");
}

Status RocksLogDb::background_failure() const { return core_->failures.failure("background job"); }

Status RocksLogDb::verify_checksums() const {
  return from_rocks(core_->db->VerifyChecksum(rocksdb::ReadOptions()), core_->path + ": checksums");
}

Result<std::optional<std::string>> RocksLogDb::get(Table table, std::string_view key) const {
  std::string value;
  const rocksdb::Status status =
      core_->db->Get(rocksdb::ReadOptions(), core_->family(table), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return from_rocks(status, core_->path + ": get");
  return std::optional<std::string>(std::move(value));
}

Result<std::optional<RocksLogDb::Row>> RocksLogDb::last_before(Table table,
                                                               std::string_view key) const {
  const std::unique_ptr<rocksdb::Iterator> rows(
      core_->db->NewIterator(rocksdb::ReadOptions(), core_->family(table)));
  rows->SeekForPrev(slice(key));
  if (rows->Valid() && view(rows->key()) == key) rows->Prev();
  if (rows->Valid()) {
    return std::optional<Row>(Row(rows->key().ToString(), rows->value().ToString()));
  }
  if (!rows->status().ok()) return from_rocks(rows->status(), core_->path + ": seek");
  return std::optional<Row>();
}

std::unique_ptr<KvCursor> RocksLogDb::scan(Table table, std::string_view from) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> rows(core_->db->NewIterator(options, core_->family(table)));
  rows->Seek(slice(from));
  return std::make_unique<RowCursor>(std::move(rows));
}

}  // namespace daybook::eventstore
