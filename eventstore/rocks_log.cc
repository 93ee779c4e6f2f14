#include "eventstore/rocks_log.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <sys/stat.h>

#include "domain/base/check.h"
#include "eventstore/directory_lock.h"
#include "eventstore/files.h"
#include "eventstore/rocks_log_db.h"
#include "eventstore/rocks_log_rows.h"
#include "eventstore/rocks_log_testing.h"
#include "eventstore/rocks_log_verify.h"
#include "eventstore/watermark.h"

namespace daybook::eventstore {
namespace {

constexpr std::string_view kFormat = "\x01";
constexpr int kReadOnlyOpenAttempts = 5;
constexpr std::chrono::milliseconds kReadOnlyOpenPause{20};

struct Paths {
  explicit Paths(const std::string& dir)
      : root(dir), log(dir + "/log"), watermark(log + ".watermark"), fresh(watermark + ".new") {}

  std::string root;
  std::string log;
  std::string watermark;
  std::string fresh;  ///< The watermark while the log is being created.
};

std::string acknowledged(const LogHead& head) {
  return std::to_string(head.next_position) + " events in " + std::to_string(head.entry_count) +
         " entries were acknowledged";
}

Status prefixed(const std::string& path, const Status& status) {
  return {status.code(), path + ": " + status.message()};
}

/// Creates an empty log. The watermark gets its name last: until then nothing was served, so
/// whatever an interrupted creation left may be completed or overwritten.
Status create(const Paths& paths, const std::string& ledger_id, rocksdb::Env* env) {
  CHECK(!ledger_id.empty());
  if (::mkdir(paths.root.c_str(), 0700) != 0 && errno != EEXIST) {
    return errno_status("create directory", paths.root, errno);
  }
  if (!WatermarkFile::load(paths.fresh).ok()) {
    const Status created = WatermarkFile::create(paths.fresh, LogHead());
    if (!created.ok()) return created;
  }
  const auto db = RocksLogDb::open(paths.log, RocksLogDb::Mode::kCreate, env);
  if (!db.ok()) return db.status();
  if ((*db)->scan(RocksLogDb::kEntries, "")->valid()) {
    return corrupt(paths.log + ": holds entries, but its watermark says it was never served");
  }
  KvBatch meta;
  meta.put(RocksLogDb::kMeta, std::string(kFormatKey), std::string(kFormat));
  meta.put(RocksLogDb::kMeta, std::string(kLedgerKey), ledger_id);
  const Status written = (*db)->write(meta);
  if (!written.ok()) return written;
  if (std::rename(paths.fresh.c_str(), paths.watermark.c_str()) != 0) {
    return errno_status("rename", paths.fresh, errno);
  }
  return sync_directory(paths.root);
}

/// OK if there is a log with a watermark, or now is one.
Status ensure_exists(const Paths& paths, const RocksLog::Options& options, rocksdb::Env* env) {
  if (Status seen = check_reachable(paths.log); !seen.ok()) return seen;
  const bool has_log = path_exists(paths.log);
  const bool has_watermark = path_exists(paths.watermark);
  if (has_watermark && has_log) return {};
  if (has_watermark) {
    const auto loaded = WatermarkFile::load(paths.watermark);
    return corrupt(paths.log + ": the log is gone" +
                   (loaded.ok() ? "; " + acknowledged(loaded->head) : std::string()));
  }
  const bool interrupted = path_exists(paths.fresh);
  if (has_log && !interrupted) {
    return corrupt(paths.watermark +
                   ": the watermark of an existing log is gone; what it held cannot "
                   "be told from what was lost");
  }
  if (options.read_only || !options.create_if_missing) {
    return not_found(paths.root +
                     (interrupted ? ": creation of the log was interrupted" : ": no log there"));
  }
  return create(paths, options.ledger_id, env);
}

}  // namespace

class RocksLog::Core {
 public:
  Core(const std::string& dir, Options options, RocksLogHooks hooks)
      : paths_(dir), options_(std::move(options)), hooks_(std::move(hooks)) {}

  Status open() {
    if (Status locked = take_lock(); !locked.ok()) return locked;
    const Status exists = ensure_exists(paths_, options_, hooks_.env);
    if (!exists.ok()) return exists;
    if (!options_.read_only) return open_for_writing();
    // Beside a writer, files may go away between reading their names and opening them, and with
    // them rows may seem to be missing. What is really damaged stays so.
    for (int attempt = 1;; ++attempt) {
      const Status status = open_for_reading();
      if (status.ok() || attempt == kReadOnlyOpenAttempts) return status;
      db_.reset();
      std::this_thread::sleep_for(kReadOnlyOpenPause);  // bounded
    }
  }

  LogHead head() const {
    const std::lock_guard lock(mutex_);
    return head_;
  }

  void watch_place(const std::vector<std::string>& others) {
    if (lock_ == nullptr) return;
    std::vector<std::string> names = {"log/CURRENT", "log.watermark"};
    names.insert(names.end(), others.begin(), others.end());
    Status present = lock_->check_present(names);
    const std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = std::move(present);
  }

  Status failure() const {
    const std::lock_guard lock(mutex_);
    return failure_.ok() ? db_->background_failure() : failure_;
  }

  AppendOutcome append(const Entry& entry) {
    CHECK(!options_.read_only);
    if (!still_sound()) return AppendOutcome::kUnknown;
    const LogHead before = head();
    CHECK(entry.partition == options_.partition);
    CHECK(check_continues(before, entry).ok());
    const LogHead after = head_after(entry, chain_of(entry));

    KvBatch batch;
    batch.put(RocksLogDb::kEntries, entry_key(entry.partition, entry.base_position, entry.entry_no),
              encode_entry(entry));
    if (after.next_position / kAnchorEveryEvents != before.next_position / kAnchorEveryEvents) {
      batch.put(RocksLogDb::kMeta, anchor_key(entry.partition, after.entry_count),
                encode_anchor(after));
    }
    Status status = db_->write(batch);
    // Until the new head is known: close() writes the head that it sees.
    const std::lock_guard watermark(watermark_mutex_);
    const Instant wanted = wanted_closed();
    if (status.ok()) status = watermark_->store(after, wanted);
    const std::lock_guard lock(mutex_);
    if (!status.ok()) {
      failure_ = std::move(status);
      return AppendOutcome::kUnknown;
    }
    head_ = after;
    closed_ = wanted;
    return AppendOutcome::kCommitted;
  }

  Instant closed() const {
    const std::lock_guard lock(mutex_);
    return std::max(closed_, head_.last_recorded_at);
  }

  Status close(Instant time) {
    if (time <= closed()) return {};
    CHECK(!options_.read_only);
    {
      const std::lock_guard lock(mutex_);
      wanted_closed_ = std::max(wanted_closed_, time);
    }
    // Whoever stores next stores what all have asked for meanwhile: beside appends, one more sync
    // for each of them at most.
    const std::lock_guard watermark(watermark_mutex_);
    if (time <= closed()) return {};
    if (!still_sound()) return failure();
    const Instant wanted = wanted_closed();
    const Status status = watermark_->store(head(), wanted);
    const std::lock_guard lock(mutex_);
    if (status.ok()) {
      closed_ = wanted;
    } else {
      failure_ = status;
    }
    return status;
  }

  const RocksLogDb& db() const { return *db_; }
  std::uint32_t partition() const { return options_.partition; }
  const OpenReport& report() const { return report_; }
  const std::string& ledger_id() const { return ledger_id_; }

 private:
  Instant wanted_closed() const {
    const std::lock_guard lock(mutex_);
    return wanted_closed_;
  }

  bool still_sound() {
    const std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = db_->background_failure();
    return failure_.ok();
  }

  Status take_lock() {
    if (options_.read_only || options_.locked_by_caller) return {};
    if (options_.create_if_missing && ::mkdir(paths_.root.c_str(), 0700) != 0 && errno != EEXIST) {
      return errno_status("create directory", paths_.root, errno);
    }
    auto lock = DirectoryLock::take(paths_.root);
    if (!lock.ok()) return lock.status();
    lock_ = std::move(*lock);
    return {};
  }

  Status open_for_writing() {
    // The store first: its lock, too, keeps a second writer from the watermark.
    auto db = RocksLogDb::open(paths_.log, RocksLogDb::Mode::kReadWrite, hooks_.env);
    if (!db.ok()) return with_watermark(db.status());
    db_ = std::move(*db);
    auto watermark = WatermarkFile::open(paths_.watermark, hooks_.sync_watermark);
    if (!watermark.ok()) return watermark.status();
    watermark_ = std::move(*watermark);
    const WatermarkFile::Loaded& loaded = watermark_->at_open();
    const Status verified = verify(loaded);
    if (!verified.ok()) return verified;

    if (orphan_) {
      const auto moved = quarantine_from(*db_, options_.partition, *orphan_, head_);
      if (!moved.ok()) return moved.status();
      report_.quarantined_entries = *moved;
    }
    // The unacknowledged tail was flushed and synced when RocksDB recovered it.
    if (head_ != loaded.head || loaded.slot_damaged) return watermark_->store(head_, closed_);
    return {};
  }

  Status open_for_reading() {
    // The watermark first: the rows that are read later then reach it.
    const auto loaded = WatermarkFile::load(paths_.watermark);
    if (!loaded.ok()) return loaded.status();
    auto db = RocksLogDb::open(paths_.log, RocksLogDb::Mode::kReadOnly, hooks_.env);
    if (!db.ok()) return with_watermark(db.status());
    db_ = std::move(*db);
    return verify(*loaded);
  }

  Status verify(const WatermarkFile::Loaded& loaded) {
    const Status meta = read_meta();
    if (!meta.ok()) return meta;
    const auto verified =
        verify_log(*db_, loaded.head,
                   {options_.partition, options_.verify == Verify::kTail, options_.read_only});
    if (!verified.ok()) return prefixed(paths_.log, verified.status());
    head_ = verified->head;
    closed_ = wanted_closed_ = loaded.closed;
    orphan_ = verified->orphan;
    report_.verified_from = verified->verified_from;
    report_.verified_entries = verified->entries;
    report_.unacknowledged_entries = head_.entry_count - loaded.head.entry_count;
    report_.watermark_slot_damaged = loaded.slot_damaged;
    return {};
  }

  Status read_meta() {
    const auto format = db_->get(RocksLogDb::kMeta, kFormatKey);
    if (!format.ok()) return format.status();
    const auto ledger = db_->get(RocksLogDb::kMeta, kLedgerKey);
    if (!ledger.ok()) return ledger.status();
    if (*format != kFormat || !ledger->has_value()) {
      return corrupt(paths_.log + ": expected format 1 and a ledger id, found format " +
                     (format->has_value() ? to_hex(**format) : "none"));
    }
    ledger_id_ = **ledger;
    if (!options_.ledger_id.empty() && options_.ledger_id != ledger_id_) {
      return conflict(paths_.log + ": expected ledger " + options_.ledger_id + ", found " +
                      ledger_id_);
    }
    return {};
  }

  /// Adds to damage that RocksDB found what is at stake.
  Status with_watermark(const Status& status) const {
    if (status.code() != StatusCode::kCorrupt) return status;
    const auto loaded = WatermarkFile::load(paths_.watermark);
    if (!loaded.ok()) return status;
    return corrupt(status.message() + "; " + acknowledged(loaded->head));
  }

  const Paths paths_;
  const Options options_;
  const RocksLogHooks hooks_;
  std::unique_ptr<DirectoryLock> lock_;  ///< Let go of last.
  std::unique_ptr<RocksLogDb> db_;
  std::unique_ptr<WatermarkFile> watermark_;
  std::optional<std::string> orphan_;
  OpenReport report_;
  std::string ledger_id_;

  std::mutex watermark_mutex_;  ///< Before mutex_.
  mutable std::mutex mutex_;
  LogHead head_;
  Instant closed_{};         ///< In the watermark; closed() may be later.
  Instant wanted_closed_{};  ///< At least closed_: asked for, and in the next watermark.
  Status failure_;
};

/// Entries up to the published head, by an iterator that is let go of at the end.
class RocksLog::Cursor final : public EntryCursor {
 public:
  Cursor(const Core& core, std::uint64_t position) : core_(core), position_(position) {}

  Result<std::optional<Entry>> next() override {
    if (!failure_.ok()) return failure_;
    Result<std::optional<Entry>> entry = step();
    if (!entry.ok()) failure_ = entry.status();
    return entry;
  }

 private:
  Result<std::optional<Entry>> step() {
    const LogHead head = core_.head();
    if (expected_ ? expected_->entry_count >= head.entry_count : position_ > head.next_position) {
      rows_.reset();
      return std::optional<Entry>();
    }
    // An iterator does not see what was written after it was made: at its end, one new try.
    if (rows_ != nullptr && !rows_->valid() && rows_->status().ok()) rows_.reset();
    if (rows_ == nullptr) {
      const Result<std::string> key = next_key();
      if (!key.ok()) return key.status();
      rows_ = core_.db().scan(RocksLogDb::kEntries, *key);
    }
    if (!rows_->status().ok()) return rows_->status();
    const std::optional<std::uint64_t> number =
        rows_->valid() ? entry_no_of_key(core_.partition(), rows_->key()) : std::nullopt;
    if (!expected_ && (!number || *number >= head.entry_count)) {
      rows_.reset();
      return std::optional<Entry>();
    }
    if (!number) return corrupt("entry " + std::to_string(expected_->entry_count) + " is gone");
    return take_row();
  }

  Result<std::optional<Entry>> take_row() {
    Result<Entry> entry = decode_entry(rows_->value());
    if (!entry.ok()) return entry.status();
    if (!expected_) {
      expected_ = LogHead{entry->generation, entry->entry_no, entry->base_position,
                          entry->prev_chain, entry->first_recorded_at};
    }
    const Status continues = check_continues(*expected_, *entry);
    if (!continues.ok()) return corrupt(continues.message());
    expected_ = head_after(*entry, chain_of(*entry));
    rows_->next();
    return std::optional<Entry>(std::move(*entry));
  }

  /// Where to read on. For the first entry: the last one that is not based after the position, if
  /// it holds it. That is not the first one based there: entries without events may come before.
  Result<std::string> next_key() const {
    const std::uint32_t partition = core_.partition();
    if (expected_) return entry_key(partition, expected_->next_position, expected_->entry_count);
    std::string at = entry_key(partition, position_, 0);
    if (position_ == 0 || position_ == UINT64_MAX) return at;
    const auto before =
        core_.db().last_before(RocksLogDb::kEntries, entry_key(partition, position_ + 1, 0));
    if (!before.ok()) return before.status();
    if (!before->has_value() || !entry_no_of_key(partition, (*before)->first)) return at;
    const Result<Entry> entry = decode_entry((*before)->second);
    if (!entry.ok()) return entry.status();
    return entry->end_position() > position_ ? (*before)->first : at;
  }

  const Core& core_;
  const std::uint64_t position_;
  std::optional<LogHead> expected_;  ///< Where the log stood after the entry given last.
  std::unique_ptr<KvCursor> rows_;
  Status failure_;
};

Result<std::unique_ptr<RocksLog>> RocksLog::open(const std::string& dir, const Options& options) {
  return open_rocks_log_for_test(dir, options, {});
}

Result<std::unique_ptr<RocksLog>> open_rocks_log_for_test(const std::string& dir,
                                                          const RocksLog::Options& options,
                                                          const RocksLogHooks& hooks) {
  auto core = std::make_unique<RocksLog::Core>(dir, options, hooks);
  const Status opened = core->open();
  if (!opened.ok()) return opened;
  return std::unique_ptr<RocksLog>(new RocksLog(std::move(core)));
}

RocksLog::RocksLog(std::unique_ptr<Core> core) : core_(std::move(core)) {}
RocksLog::~RocksLog() = default;

LogHead RocksLog::head() const { return core_->head(); }
Instant RocksLog::closed() const { return core_->closed(); }
Status RocksLog::close(Instant time) { return core_->close(time); }
AppendOutcome RocksLog::append(const Entry& entry) { return core_->append(entry); }
const RocksLog::OpenReport& RocksLog::report() const { return core_->report(); }
const std::string& RocksLog::ledger_id() const { return core_->ledger_id(); }
void RocksLog::watch_place(const std::vector<std::string>& others) { core_->watch_place(others); }
Status RocksLog::failure() const { return core_->failure(); }
Status RocksLog::verify_checksums() const { return core_->db().verify_checksums(); }

Result<std::unique_ptr<EntryCursor>> RocksLog::read(std::uint64_t position) const {
  return std::unique_ptr<EntryCursor>(std::make_unique<Cursor>(*core_, position));
}

}  // namespace daybook::eventstore
