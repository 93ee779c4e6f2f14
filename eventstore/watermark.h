#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "domain/base/result.h"
#include "eventstore/event_log.h"
#include "eventstore/files.h"

namespace daybook::eventstore {

/// How far a log has been acknowledged and up to when it is closed (EventLog::closed), kept outside
/// of the log.
///
/// Why: RocksDB does not know which part of its write-ahead log was synced, and opens without a
/// word when acknowledged writes at its end are gone.
///
/// Thread rule: store() by one thread at a time.
/// Crash: after store() answered OK, the next opening gives what was stored or something later.
class Watermark {
 public:
  /// What an opening found.
  struct Loaded {
    LogHead head;
    Instant closed;
    std::uint64_t sequence = 0;  ///< 1 in a new file, 1 more with each store().
    bool slot_damaged = false;   ///< The other slot was unreadable; the next store() heals it.
  };

  virtual ~Watermark() = default;

  /// What it held when it was opened.
  virtual const Loaded& at_open() const = 0;

  /// Writes what it held when it was opened once more, in its place, and syncs it. Until then it
  /// may be in the kernel's memory alone: whoever wrote it may have ended after a sync that failed,
  /// and the kernel calls such bytes clean. The other slot, which may be all that is on the disk,
  /// stays. Before the first store(). Errors as store().
  virtual Status confirm() = 0;

  /// Writes and syncs. Any error is final: every later call answers it again, because after a
  /// failed sync the kernel may call lost bytes clean.
  virtual Status store(const LogHead& head, Instant closed) = 0;
};

/// The watermark as a file of the two slots of watermark_slots.h, written in turn, so that a torn
/// write leaves the slot before it whole.
class WatermarkFile final : public Watermark {
 public:
  /// ::fdatasync, or what a test puts in its place.
  using Sync = std::function<int(int)>;

  /// Creates the file with both slots holding `head`, synced, name included. An existing file is
  /// replaced.
  static Status create(const std::string& path, const LogHead& head, Instant closed = {});

  /// Reads without opening for write; may run beside a writer in another process.
  /// Errors: kNotFound: no file; kCorrupt: wrong size or both slots damaged; kIo.
  static Result<Loaded> load(const std::string& path);

  /// Opens for store(). Errors as load().
  static Result<std::unique_ptr<WatermarkFile>> open(const std::string& path, Sync sync = {});

  const Loaded& at_open() const override { return at_open_; }
  Status confirm() override;
  Status store(const LogHead& head, Instant closed) override;

 private:
  /// Into the slot of sequence_.
  Status write(const LogHead& head, Instant closed);
  WatermarkFile(std::string path, Descriptor file, Loaded loaded, Sync sync);

  std::string path_;
  Descriptor file_;
  Loaded at_open_;
  std::uint64_t sequence_;
  Sync sync_;
  Status failed_;
};

}  // namespace daybook::eventstore
