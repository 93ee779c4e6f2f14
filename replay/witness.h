#pragma once

#include <memory>
#include <string>

#include "domain/base/result.h"
#include "eventstore/event_log.h"
#include "eventstore/watermark.h"

namespace daybook::replay {

/// A place outside of a ledger's directory that remembers a head of its log. A directory that is
/// put back as a whole to how it was brings its own watermark along; here it shows.
///
/// A file of the form of eventstore/watermark.h. It is as new as its last remember(): what was
/// acknowledged later and rolled back does not show. Best on another disk, with other rights.
///
/// Thread rule: one thread. Crash: the file holds the head before or the one after; while it is
/// made there is none, and at most a `.new` beside it, which nobody reads and the next make()
/// replaces.
class Witness {
 public:
  /// Errors: kNotFound: no such file, so that what was seen is unknown; kCorrupt: it is there and
  /// cannot be believed; kIo.
  static Result<std::unique_ptr<Witness>> open(const std::string& path);

  /// Makes the file, with `head` as what was seen. For a log that nobody has seen yet, or on the
  /// operator's word: whatever was rolled back before does not show. Errors: kIo.
  static Result<std::unique_ptr<Witness>> make(const std::string& path,
                                               const eventstore::LogHead& head);

  /// Whether the log holds all that was seen. Errors: kCorrupt: it does not reach that far, or has
  /// another past; kIo.
  Status check(const eventstore::EventLog& log) const;

  /// Writes and syncs the head, unless it was the last. Errors are final.
  Status remember(const eventstore::LogHead& head);

 private:
  Witness(std::string path, std::unique_ptr<eventstore::WatermarkFile> file)
      : path_(std::move(path)), file_(std::move(file)), seen_(file_->at_open().head) {}

  std::string path_;
  std::unique_ptr<eventstore::WatermarkFile> file_;
  eventstore::LogHead seen_;
};

/// What a witness has seen, for a check beside a server: read it before the log is opened. Errors:
/// kNotFound: no such file; kCorrupt; kIo.
Result<eventstore::LogHead> seen_by_witness(const std::string& path);
/// As Witness::check().
Status check_seen(const std::string& path, const eventstore::LogHead& seen,
                  const eventstore::EventLog& log);

}  // namespace daybook::replay
