#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "eventstore/event_log.h"
#include "eventstore/log_rows.h"
#include "eventstore/watermark.h"

namespace daybook::eventstore {

/// The protocol of the log of one node, over any rows and watermark that keep their promises: an
/// entry is written and synced, then the watermark, then it is committed; an opening believes
/// neither of the two without the other, and for writing syncs the watermark that it found.
/// RocksLog is this in a directory; the simulator runs it on a disk that fails.
///
/// Errors of the store are final: the first failed write or sync, or an error in a background job,
/// poisons the log. It then reads, but answers every append with kUnknown, until it is opened
/// again. Crash: as EventLog. Whoever reads in this
/// process sees an entry only once its watermark is synced.
class StoredLog final : public EventLog {
 public:
  struct Options {
    std::uint32_t partition = 0;
    bool from_last_anchor = true;  ///< What an opening verifies; else from the first entry.
    std::string name;              ///< Stands before each error: a path.
    std::string ledger_id;         ///< If not empty, it must be the one that was written.
  };
  /// What opening found and did.
  struct OpenReport {
    std::uint64_t verified_from = 0;           ///< Position from which the chain was computed anew.
    std::uint64_t verified_entries = 0;        ///< How many entries.
    std::uint64_t unacknowledged_entries = 0;  ///< Beyond the watermark, proven, and accepted.
    std::uint64_t quarantined_entries = 0;  ///< Beyond the proven end; no longer part of the log.
    bool unproven_rows = false;             ///< Rows that do not continue the log; not in it.
    bool watermark_slot_damaged = false;    ///< One slot was unreadable; open() has healed it.
  };

  /// The rows of a log without entries. Crash: may be repeated.
  static Status create(LogRows& rows, const std::string& ledger_id);

  /// Errors: kConflict: another ledger; kCorrupt: of what was acknowledged something is gone or
  /// cannot be proven, naming the positions; kIo.
  static Result<std::unique_ptr<StoredLog>> open(std::unique_ptr<LogRows> rows,
                                                 std::unique_ptr<Watermark> watermark,
                                                 const Options& options);
  /// For reading alone, up to a watermark that was read before the rows were opened; where one of
  /// its slots is damaged, and may have acknowledged more, as far as the entries continue the log:
  /// beside a writer that may be one whose answer is on its way. append() and close() are not to be
  /// called.
  static Result<std::unique_ptr<StoredLog>> open_for_reading(std::unique_ptr<LogRows> rows,
                                                             const Watermark::Loaded& watermark,
                                                             const Options& options);

  LogHead head() const override;
  Instant closed() const override;
  Status close(Instant time) override;
  AppendOutcome append(const Entry& entry) override;
  Result<std::unique_ptr<EntryCursor>> read(std::uint64_t position) const override;

  /// Poisons the log for a reason from outside. Any thread.
  void fail(Status why);
  /// Why the log is poisoned; OK while it is not. Any thread.
  Status failure() const;

  const OpenReport& report() const { return report_; }
  const std::string& ledger_id() const { return ledger_id_; }

 private:
  class Cursor;
  StoredLog(std::unique_ptr<LogRows> rows, std::unique_ptr<Watermark> watermark, Options options)
      : options_(std::move(options)), rows_(std::move(rows)), watermark_(std::move(watermark)) {}

  Status read_meta();
  Status verify(const Watermark::Loaded& loaded);
  Status settle(const Watermark::Loaded& loaded);
  bool still_sound();
  Instant wanted_closed() const;

  const Options options_;
  const std::unique_ptr<LogRows> rows_;
  const std::unique_ptr<Watermark> watermark_;  ///< None: opened for reading.
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

}  // namespace daybook::eventstore
