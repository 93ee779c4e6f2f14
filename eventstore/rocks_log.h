#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "eventstore/event_log.h"
#include "eventstore/stored_log.h"

namespace daybook::eventstore {

struct RocksLogHooks;

/// The EventLog of one node: a StoredLog (stored_log.h) in a directory, its rows in RocksDB below
/// `log/` and its watermark in the file `log.watermark` (ARCHITECTURE.md, the commit path).
class RocksLog final : public EventLog {
 public:
  enum class Verify {
    kTail,  ///< From the last anchor (at most about 250,000 events) to the end.
    kAll,   ///< Every entry.
  };
  struct Options {
    bool create_if_missing = false;
    /// Opens beside a writer in another process and writes nothing. Ends where
    /// StoredLog::open_for_reading says.
    bool read_only = false;
    /// The caller has the directory's PathLock, or made the directory and is alone with it.
    bool locked_by_caller = false;
    Verify verify = Verify::kTail;
    std::uint32_t partition = 0;
    /// Written at creation; later, if not empty, it must be the one that was written.
    std::string ledger_id;
  };
  using OpenReport = StoredLog::OpenReport;

  /// Opens the log in `dir`, for writing with the lock of the directory (path_lock.h): it is
  /// the ledger's, taken before anything is touched. Nothing is served from a log of which
  /// something acknowledged is gone. Errors: kNotFound: no log there; kConflict: open for writing
  /// elsewhere, or another ledger; kCorrupt: log or watermark missing or damaged, naming the
  /// positions that are gone; kIo. Crash: an interrupted creation is completed by the next open
  /// with create_if_missing.
  static Result<std::unique_ptr<RocksLog>> open(const std::string& dir, const Options& options);

  ~RocksLog() override;

  LogHead head() const override;
  Instant closed() const override;
  Status close(Instant time) override;
  AppendOutcome append(const Entry& entry) override;
  Result<std::unique_ptr<EntryCursor>> read(std::uint64_t position) const override;

  const OpenReport& report() const;
  /// Beyond the watermark was damage, as a power cut leaves it; opening ended the log before it.
  bool had_torn_tail() const;
  const std::string& ledger_id() const;

  /// In words for the operator: what opening found that an undisturbed log does not have, and what
  /// became of it. No acknowledged event is lost by it, unless a slot of the watermark was damaged
  /// as well as the log: then the slot that is left may be older. Empty: nothing.
  std::vector<std::string> findings() const;

  /// How many entries any opening so far has put aside. Errors: kIo, kCorrupt.
  Result<std::uint64_t> quarantined_entries() const;

  /// Compares the checksums of all files of the store. Errors: kCorrupt naming the file; kIo, also
  /// when a writer in another process has deleted a file meanwhile.
  Status verify_checksums() const;

  /// For a log that is open for writing: poisons it if its directory, its files or one of `others`
  /// (names in the directory) were removed. What is written after that is nobody's. Any thread.
  void watch_place(const std::vector<std::string>& others);

  /// Why the log is poisoned; OK while it is not. Any thread.
  Status failure() const;

 private:
  class Core;
  explicit RocksLog(std::unique_ptr<Core> core);
  friend Result<std::unique_ptr<RocksLog>> open_rocks_log_for_test(const std::string& dir,
                                                                   const Options& options,
                                                                   const RocksLogHooks& hooks);

  std::unique_ptr<Core> core_;
};

}  // namespace daybook::eventstore
