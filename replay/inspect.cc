#include "replay/inspect.h"

#include <utility>

#include "eventstore/event_codec.h"
#include "eventstore/watermark.h"
#include "projections/all_projections.h"
#include "projections/tables.h"
#include "replay/event_check.h"
#include "replay/ledger_files.h"

namespace daybook::replay {

using eventstore::Entry;

Result<EntryView> inspect_entry(const std::string& dir, std::uint64_t entry_no) {
  auto log = open_log_for_reading(dir);
  if (!log.ok()) return log.status();
  auto cursor = (*log)->read(0);
  if (!cursor.ok()) return cursor.status();
  for (;;) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) break;
    if ((*entry)->entry_no != entry_no) continue;
    const eventstore::Hash chain = eventstore::chain_of(**entry);
    const std::size_t stored = eventstore::encode_entry(**entry).size();
    return EntryView{std::move(**entry), chain, stored};
  }
  return not_found("entry " + std::to_string(entry_no) + ": the log has " +
                   std::to_string((*log)->head().entry_count));
}

Result<EventView> inspect_event(const std::string& dir, std::uint64_t position) {
  auto log = open_log_for_reading(dir);
  if (!log.ok()) return log.status();
  const eventstore::LogHead head = (*log)->head();
  if (position >= head.next_position) {
    return not_found("position " + std::to_string(position) + ": the log has " +
                     std::to_string(head.next_position) + " events");
  }
  auto entry = eventstore::entry_at(**log, position);
  if (!entry.ok()) return entry.status();
  EventView view{position, 0, {}, {}, head.generation};
  if (*entry) {
    view.entry_no = (*entry)->entry_no;
    eventstore::for_each_event(**entry, [&](std::uint64_t at, std::string_view bytes) {
      if (at == position) view.bytes = bytes;
      return at < position;
    });
  }
  if (view.bytes.empty()) {
    return corrupt("position " + std::to_string(position) + " is not in the log");
  }
  auto event = eventstore::decode_event(view.bytes);
  if (!event.ok()) return event.status();
  // What has no public form is not shown; verify says more.
  if (const auto finding = check_form(*event)) {
    return corrupt("position " + std::to_string(position) + ": " + finding->check + ": expected " +
                   finding->expected + ", found " + finding->found);
  }
  view.event = std::move(*event);
  return view;
}

namespace {

Status count_entry(const Entry& entry, LedgerStats& stats) {
  stats.body_bytes += entry.body.size();
  stats.stored_bytes += eventstore::encode_entry(entry).size();
  Status failure;
  eventstore::for_each_event(entry, [&](std::uint64_t position, std::string_view bytes) {
    const auto event = eventstore::decode_event(bytes);
    if (!event.ok()) {
      failure = corrupt("position " + std::to_string(position) + ": " + event.status().message());
      return false;
    }
    TypeStats& type = stats.types[std::string(name_of(event->event))];
    ++type.events;
    type.bytes += bytes.size();
    return true;
  });
  return failure;
}

Status read_checkpoints(const std::string& dir, LedgerStats& stats) {
  auto store = open_projections_for_reading(dir);
  if (!store.ok()) {
    return store.status().code() == StatusCode::kNotFound ? Status() : store.status();
  }
  for (const auto& projection : projections::all_projections(**store)) {
    auto row = (*store)->get(projection->table(), projections::kCheckpointKey);
    if (!row.ok()) return row.status();
    auto& checkpoint = stats.checkpoints[std::string(projection->name())];
    if (*row) checkpoint = projections::decode_checkpoint(**row);
  }
  return {};
}

}  // namespace

Result<LedgerStats> inspect_stats(const std::string& dir) {
  auto log = open_log_for_reading(dir);
  if (!log.ok()) return log.status();
  LedgerStats stats;
  stats.ledger_id = (*log)->ledger_id();
  stats.head = (*log)->head();
  const auto watermark = eventstore::WatermarkFile::load(LedgerFiles(dir).watermark);
  if (!watermark.ok()) return watermark.status();
  stats.watermark = watermark->head;
  stats.watermark_sequence = watermark->sequence;
  stats.watermark_slot_damaged = watermark->slot_damaged;
  const auto quarantined = (*log)->quarantined_entries();
  if (!quarantined.ok()) return quarantined.status();
  stats.quarantined_entries = *quarantined;
  auto cursor = (*log)->read(0);
  if (!cursor.ok()) return cursor.status();
  for (;;) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) break;
    if (Status status = count_entry(**entry, stats); !status.ok()) return status;
  }
  if (Status status = read_checkpoints(dir, stats); !status.ok()) return status;
  return stats;
}

}  // namespace daybook::replay
