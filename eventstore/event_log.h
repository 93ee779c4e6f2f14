#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "domain/base/result.h"
#include "domain/base/time.h"
#include "eventstore/entry.h"

namespace daybook::eventstore {

/// Where a log ends.
struct LogHead {
  std::uint32_t generation = 0;
  std::uint64_t entry_count = 0;    ///< The entry_no of the next entry.
  std::uint64_t next_position = 0;  ///< The position of the next event.
  Hash chain{};                     ///< chain_of the last entry; all zero while there is none.
  Instant last_recorded_at;         ///< Of the last entry.

  bool operator==(const LogHead&) const = default;
};

/// Whether `entry` may follow a log that ends at `head`: entry_no, base_position and prev_chain go
/// on from it, recorded_at does not run backwards, and the generation stays (kind kGeneration and
/// the first entry of a log may raise it). Errors: kInvalid with field, expected and found.
Status check_continues(const LogHead& head, const Entry& entry);

/// The end of a log after `entry`. `chain` is chain_of(entry).
LogHead head_after(const Entry& entry, const Hash& chain);

/// What became of an append.
enum class AppendOutcome {
  kCommitted,  ///< Durable: it survives a crash and power loss, and a reader will always see it.
  kFenced,   ///< Another owner has the partition; nothing of it will ever be visible. Cluster only.
  kUnknown,  ///< The store failed on the way. The entry is there as a whole or not at all; only a
             ///< reopened log can tell. This log refuses every further append.
};

/// Reads entries in log order. Not thread-safe; may outlive later appends, sees those committed
/// when it was made or later. Must not outlive its log. Checks as it goes that each entry continues
/// the one before it, chain included. While it stands before the end it may pin storage.
class EntryCursor {
 public:
  virtual ~EntryCursor() = default;

  /// The next committed entry, or nothing at the end (call again later), or why it cannot be read:
  /// kCorrupt or kIo, and then again at every call.
  virtual Result<std::optional<Entry>> next() = 0;
};

/// The log of record of one partition: entries in order, never edited, exactly one authoritative
/// kind per deployment (ARCHITECTURE.md, "The path of a fact").
///
/// Thread rule: append by one thread; the others by any.
/// Crash: an append that answered kCommitted is there after reopening; one that did not is there as
/// a whole or absent. Opening checks contiguity, chain and watermark, and refuses with the missing
/// range when something committed is gone.
class EventLog {
 public:
  virtual ~EventLog() = default;

  /// The end of what is committed.
  virtual LogHead head() const = 0;

  /// Appends one entry, blocking until its outcome is known.
  /// REQUIRES: check_continues(head(), entry) is OK; the entry fits the bounds of entry.h.
  virtual AppendOutcome append(const Entry& entry) = 0;

  /// The moment at or before which nothing is recorded any more: that of the last event, or a later
  /// one that was closed. Never goes back, whatever the clock does between two openings, but where
  /// the place that remembers it was damaged or put back.
  virtual Instant closed() const = 0;

  /// Makes closed() >= time, durably; without a write where it is. The caller sees to it that no
  /// entry at or before `time` follows those it knows. Any thread; may block for a sync.
  /// Errors: the store failed, and the log refuses every further append.
  virtual Status close(Instant time) = 0;

  /// A cursor at the entry that holds `position`; entries without events that are based at the same
  /// position come before it and are passed over, but for position 0: read(0) gives every entry.
  /// While no entry holds the position, the cursor stands at the first entry based at it or after
  /// it: read(head().next_position) gives what comes next, entries without events included.
  virtual Result<std::unique_ptr<EntryCursor>> read(std::uint64_t position) const = 0;
};

/// The entry that holds the event at `position`; nothing if the log does not reach that far.
/// Errors: those of the cursor.
Result<std::optional<Entry>> entry_at(const EventLog& log, std::uint64_t position);

}  // namespace daybook::eventstore
