#pragma once

#include <memory>
#include <string>
#include <vector>

#include "domain/base/result.h"
#include "domain/base/time.h"
#include "eventstore/event_log.h"
#include "eventstore/path_lock.h"
#include "eventstore/watermark.h"

namespace daybook::replay {

/// What a witness remembers of a log.
struct Seen {
  eventstore::LogHead head;
  Instant closed;  ///< EventLog::closed().

  bool operator==(const Seen&) const = default;
};

/// What `log` shows now.
Seen see(const eventstore::EventLog& log);

/// A place outside of a ledger's directory that remembers how far its log was. A directory that is
/// put back as a whole to how it was brings its own watermark along; here it shows.
///
/// A file of the form of eventstore/watermark.h. It is as new as its last remember(): what was
/// acknowledged later and rolled back does not show. Best on another disk, with other rights. One
/// process has it at a time.
///
/// Thread rule: one thread. Crash: the file holds what was seen before or after; while it is made
/// there is none, and at most a `.new` beside it, which nobody reads and the next make() takes.
class Witness {
 public:
  /// Errors: kNotFound: no such file, so that what was seen is unknown; kCorrupt: it is there and
  /// cannot be believed; kConflict: another process has it; kIo, also for what is no regular file.
  static Result<std::unique_ptr<Witness>> open(const std::string& path);

  /// Makes the file. For a log that nobody has seen yet, or on the operator's word: whatever was
  /// rolled back before does not show. Errors: kConflict: it is there, or another process makes it;
  /// kIo.
  static Result<std::unique_ptr<Witness>> make(const std::string& path, const Seen& seen);

  /// Up to when the log was closed. One with a damaged or older watermark may have forgotten that.
  Instant closed() const { return seen_.closed; }

  /// In words for the operator: what opening found and remember() mends. Empty: nothing.
  std::vector<std::string> findings() const;

  /// Whether the log holds all events that were seen. Errors: kCorrupt: it does not reach that far,
  /// or has another past; kIo.
  Status check(const eventstore::EventLog& log) const;

  /// Writes and syncs what is seen, unless it was the last; closed() never goes back. Errors are
  /// final: kIo, also once another file or none has its name, for then nobody would find what it
  /// remembers.
  Status remember(const Seen& seen);

 private:
  static Result<std::unique_ptr<Witness>> open_locked(const std::string& path,
                                                      std::unique_ptr<eventstore::PathLock> lock);
  Witness(std::string path, std::unique_ptr<eventstore::PathLock> lock,
          std::unique_ptr<eventstore::WatermarkFile> file)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        file_(std::move(file)),
        seen_{file_->at_open().head, file_->at_open().closed},
        slot_damaged_(file_->at_open().slot_damaged) {}

  std::string path_;
  std::unique_ptr<eventstore::PathLock> lock_;
  std::unique_ptr<eventstore::WatermarkFile> file_;
  Seen seen_;
  bool slot_damaged_;
  Status failure_;  ///< Of remember().
};

/// What a witness has seen, for a check beside a server: read it before the log is opened. Errors:
/// kNotFound: no such file; kCorrupt; kIo.
/// `notes`, where given, gets in words what is not as in an undisturbed file.
Result<Seen> seen_by_witness(const std::string& path, std::vector<std::string>* notes = nullptr);
/// As Witness::check().
Status check_seen(const std::string& path, const eventstore::LogHead& seen,
                  const eventstore::EventLog& log);

}  // namespace daybook::replay
