#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "domain/base/result.h"
#include "eventstore/event_log.h"

namespace daybook::eventstore {

/// How far a log has been acknowledged, kept outside of the log: a file of two 4 KiB slots, each
/// with a SHA-256 checksum (docs/stored_format.md, "Watermark"), written in turn, so that a torn
/// write leaves the slot before it whole.
///
/// Why: RocksDB does not know which part of its write-ahead log was synced, and opens without a
/// word when acknowledged writes at its end are gone.
///
/// Thread rule: store() by one thread at a time.
/// Crash: after store() answered OK, load() gives that head or a later one.
class WatermarkFile {
 public:
  /// What load() found.
  struct Loaded {
    LogHead head;
    std::uint64_t sequence = 0;  ///< 1 in a new file, 1 more with each store().
    bool slot_damaged = false;   ///< The other slot was unreadable; the next store() heals it.
  };
  /// ::fdatasync, or what a test puts in its place.
  using Sync = std::function<int(int)>;

  /// Creates the file with both slots holding `head`, synced, name included. An existing file is
  /// replaced.
  static Status create(const std::string& path, const LogHead& head);

  /// Reads without opening for write; may run beside a writer in another process.
  /// Errors: kNotFound: no file; kCorrupt: wrong size or both slots damaged; kIo.
  static Result<Loaded> load(const std::string& path);

  /// Opens for store(). Errors as load().
  static Result<std::unique_ptr<WatermarkFile>> open(const std::string& path, Sync sync = {});

  ~WatermarkFile();
  WatermarkFile(const WatermarkFile&) = delete;
  WatermarkFile& operator=(const WatermarkFile&) = delete;

  /// What the file held when it was opened.
  const Loaded& at_open() const { return at_open_; }

  /// Writes and syncs. Any error is final: every later call answers it again, because after a
  /// failed sync the kernel may call lost bytes clean.
  Status store(const LogHead& head);

 private:
  WatermarkFile(std::string path, int descriptor, Loaded loaded, Sync sync);

  std::string path_;
  int descriptor_;
  Loaded at_open_;
  std::uint64_t sequence_;
  Sync sync_;
  Status failed_;
};

}  // namespace daybook::eventstore
