#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eventstore/stored_log.h"
#include "tests/simulation/rng.h"

namespace daybook::simulation {

/// The disk of a simulated node: the rows of its log and the slots of its watermark, as bytes. The
/// log on it is the product's own (eventstore/stored_log.h). It fails on order, and like a kernel
/// after a failed sync it then pretends that all is well: whoever writes on is found out.
///
/// A copy is another disk with the same bytes.
class SimDisk {
 public:
  /// What a write that fails leaves behind.
  enum class Fault {
    kLost,  ///< Nothing: a full disk, or bytes that never left the memory.
    kKept,  ///< All of it; a slot of the watermark until the power goes, for no sync took it.
    kTorn,  ///< Its first half. RocksDB tells torn batches apart; here one may pass for a row.
  };
  /// What happens to a disk while nobody looks.
  enum class Damage {
    kBitInEntry,
    kEntryCutOff,
    kEntryGone,
    kTailGone,
    kEntriesSwapped,
    kMetaGone,
    kBitInWatermark,
    kSlotZeroed,
    kWatermarkCutOff,
  };
  static const std::vector<Damage>& damages();

  /// With an empty log.
  SimDisk();
  SimDisk(const SimDisk& other) : bytes_(other.bytes_) {}
  SimDisk& operator=(const SimDisk&) = delete;

  /// The product's opening. The log must not outlive this.
  Result<std::unique_ptr<eventstore::StoredLog>> open();

  /// The write number `nth` from now on (0: the next; rows and slots alike) fails.
  void fail_write(std::uint64_t nth, Fault fault) { write_fault_ = {writes_ + nth, fault}; }
  /// The read number `nth` from now on fails once.
  void fail_read(std::uint64_t nth) { failing_read_ = reads_ + nth; }
  /// What was ordered and has not come about does not come about any more.
  void disarm();
  /// No fault any more, and none has been: the process that met one is gone.
  void restart();
  /// Slots that no sync took are as they were before. Whether there were any.
  bool cut_power();
  /// Whether the disk holds the watermark that is read from it.
  bool is_watermark_synced() const { return bytes_.watermark == bytes_.synced_watermark; }

  void damage(Damage damage, Rng& rng);
  /// Back to how another disk was: rows, watermark or both.
  void roll_back_rows(const SimDisk& older) { bytes_.rows = older.bytes_.rows; }
  void roll_back_watermark(const SimDisk& older) {
    bytes_.watermark = bytes_.synced_watermark = older.bytes_.watermark;
  }

  std::uint64_t entries() const { return bytes_.rows[eventstore::LogRows::kEntries].size(); }
  std::uint64_t quarantined() const { return bytes_.rows[eventstore::LogRows::kQuarantine].size(); }

 private:
  class Rows;
  class Slots;
  class Cursor;
  using Table = std::map<std::string, std::string, std::less<>>;
  struct Bytes {
    std::array<Table, 3> rows;
    std::string watermark;         ///< As it is read.
    std::string synced_watermark;  ///< As it is when the power has gone.
  };

  void write_rows(const eventstore::KvBatch& batch);
  /// What becomes of the write that is about to happen.
  std::optional<Fault> next_write();
  Status next_read() const;

  Bytes bytes_;
  std::uint64_t writes_ = 0;
  mutable std::uint64_t reads_ = 0;
  std::optional<std::pair<std::uint64_t, Fault>> write_fault_;
  mutable std::optional<std::uint64_t> failing_read_;
  bool has_failed_ = false;
};

}  // namespace daybook::simulation
