#include "eventstore/rocks_log.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include <sys/stat.h>

#include "domain/base/check.h"
#include "eventstore/files.h"
#include "eventstore/log_verify.h"
#include "eventstore/path_lock.h"
#include "eventstore/rocks_log_db.h"
#include "eventstore/rocks_log_testing.h"
#include "eventstore/stored_log.h"

namespace daybook::eventstore {
namespace {

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
  const auto db =
      RocksLogDb::open(paths.log, RocksLogDb::Mode::kCreate, env, RocksLogDb::Tail::kUpToDamage);
  if (!db.ok()) return db.status();
  const auto first = (*db)->scan(RocksLogDb::kEntries, "");
  if (first->valid()) {
    return corrupt(paths.log + ": holds entries, but its watermark says it was never served");
  }
  if (Status status = first->status(); !status.ok()) return status;
  const Status written = StoredLog::create(**db, ledger_id);
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
      std::this_thread::sleep_for(kReadOnlyOpenPause);  // bounded
    }
  }

  void watch_place(const std::vector<std::string>& others) {
    if (lock_ == nullptr) return;
    std::vector<std::string> names = {"log/CURRENT", "log.watermark"};
    names.insert(names.end(), others.begin(), others.end());
    if (Status present = lock_->check_present(names); !present.ok()) log_->fail(present);
  }

  std::vector<std::string> findings() const {
    const OpenReport& report = log_->report();
    const bool is_mended = !options_.read_only;
    const bool slot_damaged = report.watermark_slot_damaged;
    constexpr const char* kPerhaps = "the watermark's damaged slot may have acknowledged them";
    std::vector<std::string> found;
    if (torn_tail_) {
      found.push_back(std::string("log: what lay beyond the watermark was torn, as a power cut ") +
                      "leaves it, and acknowledged to nobody; " +
                      (is_mended ? "it was cut off" : "the next start cuts it off"));
    }
    if (report.quarantined_entries > 0) {
      found.push_back("log: " + std::to_string(report.quarantined_entries) +
                      " entries beyond the watermark did not continue the log; " +
                      (slot_damaged ? kPerhaps : "acknowledged to nobody") +
                      ", they were put aside");
    }
    if (report.unproven_rows && !is_mended) {
      found.push_back(std::string("log: what follows its last entry does not continue it; ") +
                      kPerhaps + ", the next start puts it aside");
    }
    if (report.unacknowledged_entries > 0) {
      found.push_back(
          "log: " + std::to_string(report.unacknowledged_entries) +
          " entries beyond the watermark were whole; " +
          (slot_damaged ? std::string(kPerhaps) + ", they count" : "they count from now on"));
    }
    if (slot_damaged) {
      found.push_back(std::string("watermark: one of its two slots could not be read; ") +
                      (is_mended ? "it was written anew" : "the next start writes it anew") +
                      "; every entry that continues the log counts, a time that was read as final "
                      "may be open again");
    }
    return found;
  }

  StoredLog& log() { return *log_; }
  const RocksLogDb& db() const { return *db_; }
  bool had_torn_tail() const { return torn_tail_; }

 private:
  Status take_lock() {
    if (options_.read_only || options_.locked_by_caller) return {};
    if (options_.create_if_missing && ::mkdir(paths_.root.c_str(), 0700) != 0 && errno != EEXIST) {
      return errno_status("create directory", paths_.root, errno);
    }
    auto lock = PathLock::take_directory(paths_.root);
    if (!lock.ok()) return lock.status();
    lock_ = std::move(*lock);
    return {};
  }

  /// When the power goes, what was written and not synced may be left with holes in it, which
  /// RocksDB cannot tell from damage to what was synced. The watermark can: everything acknowledged
  /// stands before the damage. That is looked at before anything is changed. It takes a watermark
  /// without damage: the slot that is gone may have been the one that acknowledged what the log has
  /// lost, and no power cut leaves both, as none of the two is written while the other is.
  Result<std::unique_ptr<RocksLogDb>> open_db(RocksLogDb::Mode mode) {
    torn_tail_ = false;
    auto whole = RocksLogDb::open(paths_.log, mode, hooks_.env);
    // Beside a writer, what looks like damage may be a file that went away meanwhile; not twice.
    if (options_.read_only && whole.status().code() == StatusCode::kCorrupt) {
      whole = RocksLogDb::open(paths_.log, mode, hooks_.env);
    }
    if (whole.ok() || whole.status().code() != StatusCode::kCorrupt) return whole;
    const auto loaded = WatermarkFile::load(paths_.watermark);
    if (!loaded.ok() || loaded->slot_damaged) return whole;
    const auto open_up_to_damage = [this](RocksLogDb::Mode how) {
      return RocksLogDb::open(paths_.log, how, hooks_.env, RocksLogDb::Tail::kUpToDamage);
    };
    {
      const auto looked_at = open_up_to_damage(RocksLogDb::Mode::kReadOnly);
      if (!looked_at.ok()) return whole;
      const VerifyOptions up_to_watermark{options_.partition, true, true};
      if (!verify_log(**looked_at, loaded->head, up_to_watermark).ok()) return whole;
    }
    torn_tail_ = true;
    return open_up_to_damage(mode);
  }

  Status open_for_writing() {
    // The store first: its lock, too, keeps a second writer from the watermark.
    auto db = open_db(RocksLogDb::Mode::kReadWrite);
    if (!db.ok()) return with_watermark(db.status());
    auto watermark = WatermarkFile::open(paths_.watermark, hooks_.sync_watermark);
    if (!watermark.ok()) return watermark.status();
    db_ = db->get();
    return opened(StoredLog::open(std::move(*db), std::move(*watermark), stored_options()));
  }

  Status open_for_reading() {
    // The watermark first: the rows that are read later then reach it.
    const auto loaded = WatermarkFile::load(paths_.watermark);
    if (!loaded.ok()) return loaded.status();
    auto db = open_db(RocksLogDb::Mode::kReadOnly);
    if (!db.ok()) return with_watermark(db.status());
    db_ = db->get();
    return opened(StoredLog::open_for_reading(std::move(*db), *loaded, stored_options()));
  }

  StoredLog::Options stored_options() const {
    return {options_.partition, options_.verify == Verify::kTail, paths_.log, options_.ledger_id};
  }

  Status opened(Result<std::unique_ptr<StoredLog>> log) {
    if (!log.ok()) return log.status();
    log_ = std::move(*log);
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
  std::unique_ptr<PathLock> lock_;  ///< Let go of last.
  const RocksLogDb* db_ = nullptr;  ///< The rows of log_.
  std::unique_ptr<StoredLog> log_;
  bool torn_tail_ = false;
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

LogHead RocksLog::head() const { return core_->log().head(); }
Instant RocksLog::closed() const { return core_->log().closed(); }
Status RocksLog::close(Instant time) { return core_->log().close(time); }
AppendOutcome RocksLog::append(const Entry& entry) { return core_->log().append(entry); }
const RocksLog::OpenReport& RocksLog::report() const { return core_->log().report(); }
bool RocksLog::had_torn_tail() const { return core_->had_torn_tail(); }
const std::string& RocksLog::ledger_id() const { return core_->log().ledger_id(); }
std::vector<std::string> RocksLog::findings() const { return core_->findings(); }
void RocksLog::watch_place(const std::vector<std::string>& others) { core_->watch_place(others); }
Status RocksLog::failure() const { return core_->log().failure(); }

Result<std::uint64_t> RocksLog::quarantined_entries() const {
  std::uint64_t entries = 0;
  const auto row = core_->db().scan(LogRows::kQuarantine, "");
  for (; row->valid(); row->next()) ++entries;
  if (Status status = row->status(); !status.ok()) return status;
  return entries;
}

Status RocksLog::verify_checksums() const { return core_->db().verify_checksums(); }
Result<std::unique_ptr<EntryCursor>> RocksLog::read(std::uint64_t position) const {
  return core_->log().read(position);
}

}  // namespace daybook::eventstore
