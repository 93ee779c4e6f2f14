#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "domain/base/result.h"
#include "domain/event.h"
#include "eventstore/entry.h"
#include "eventstore/event_log.h"
#include "projections/checkpoint.h"

/// What is in a ledger's files, for people who want to see it. All of it reads only, also beside a
/// server. Errors: kNotFound, kCorrupt, kIo.
namespace daybook::replay {

/// One entry as it is stored.
struct EntryView {
  eventstore::Entry entry;
  eventstore::Hash chain{};
  std::size_t stored_bytes = 0;  ///< Of the value; compressed anew, so another zstd may differ.
};

/// One event as it is stored.
struct EventView {
  std::uint64_t position = 0;
  std::uint64_t entry_no = 0;
  domain::RecordedEvent event;
  std::string bytes;
  std::uint32_t generation = 0;
};

struct TypeStats {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;  ///< Encoded, before compression.
};

struct LedgerStats {
  std::string ledger_id;
  eventstore::LogHead head;       ///< Up to where the rest counts.
  eventstore::LogHead watermark;  ///< As the file says now.
  std::uint64_t watermark_sequence = 0;
  bool watermark_slot_damaged = false;
  std::uint64_t quarantined_entries = 0;  ///< Beyond the watermark, put aside when it was opened.
  std::uint64_t body_bytes = 0;
  std::uint64_t stored_bytes =
      0;  ///< Entries as they are stored, without keys and files' overhead.
  std::map<std::string, TypeStats> types;  ///< By public type.
  /// By table name; none: no rows were flushed. Empty: there is no `proj/`.
  std::map<std::string, std::optional<projections::Checkpoint>> checkpoints;
};

/// The entry with this number. Reads the entries before it.
Result<EntryView> inspect_entry(const std::string& dir, std::uint64_t entry_no);
/// The event at this position.
Result<EventView> inspect_event(const std::string& dir, std::uint64_t position);
/// Reads the whole log.
Result<LedgerStats> inspect_stats(const std::string& dir);

std::string to_text(const EntryView& view);
std::string to_json(const EntryView& view);
/// The stored bytes only where asked for: they tell people nothing.
std::string to_text(const EventView& view, bool with_bytes);
std::string to_json(const EventView& view);
std::string to_text(const LedgerStats& stats);
std::string to_json(const LedgerStats& stats);

}  // namespace daybook::replay
