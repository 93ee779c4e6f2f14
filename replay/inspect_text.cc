#include <algorithm>

#include "eventstore/json_text.h"
#include "eventstore/position.h"
#include "eventstore/public_json.h"
#include "replay/inspect.h"
#include "replay/ledger_files.h"

namespace daybook::replay {
namespace {

using eventstore::EntryKind;
using eventstore::JsonObject;
using eventstore::to_hex;

std::string_view name_of_kind(EntryKind kind) {
  switch (kind) {
    case EntryKind::kEvents:
      return "events";
    case EntryKind::kClaim:
      return "claim";
    case EntryKind::kGeneration:
      return "generation";
  }
  return "unknown";
}

/// bytes / events in hundredths, rounded down: "61.50".
std::string ratio(std::uint64_t bytes, std::uint64_t events) {
  if (events == 0) return "0.00";
  const std::uint64_t hundredths = static_cast<std::uint64_t>(uint128{bytes} * 100 / events);
  const std::string rest = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (rest.size() < 2 ? "0" : "") + rest;
}

std::string head_json(const eventstore::LogHead& head) {
  return JsonObject()
      .number("generation", head.generation)
      .number("entries", head.entry_count)
      .number("events", head.next_position)
      .string("chain", to_hex(head.chain))
      .string("recorded_at", to_rfc3339(head.last_recorded_at))
      .text();
}

std::string head_text(const eventstore::LogHead& head) {
  return std::to_string(head.next_position) + " events in " + std::to_string(head.entry_count) +
         " entries, generation " + std::to_string(head.generation) + ", chain " +
         to_hex(head.chain) + ", recorded by " + to_rfc3339(head.last_recorded_at);
}

}  // namespace

std::string to_text(const EntryView& view) {
  const eventstore::Entry& entry = view.entry;
  return "entry " + std::to_string(entry.entry_no) + ": " + std::string(name_of_kind(entry.kind)) +
         ", partition " + std::to_string(entry.partition) + ", generation " +
         std::to_string(entry.generation) + "\npositions from " +
         std::to_string(entry.base_position) + ", " + std::to_string(entry.count) +
         " events\nrecorded " + to_rfc3339(entry.first_recorded_at) + " to " +
         to_rfc3339(entry.last_recorded_at) + "\nprevious chain " + to_hex(entry.prev_chain) +
         "\nchain          " + to_hex(view.chain) + "\nbody " + std::to_string(entry.body.size()) +
         " bytes, stored in " + std::to_string(view.stored_bytes) + ", " +
         ratio(view.stored_bytes, entry.count) + " per event\n";
}

std::string to_json(const EntryView& view) {
  const eventstore::Entry& entry = view.entry;
  return JsonObject()
      .number("entry", entry.entry_no)
      .string("kind", name_of_kind(entry.kind))
      .number("partition", entry.partition)
      .number("generation", entry.generation)
      .number("base_position", entry.base_position)
      .number("count", entry.count)
      .string("first_recorded_at", to_rfc3339(entry.first_recorded_at))
      .string("last_recorded_at", to_rfc3339(entry.last_recorded_at))
      .string("prev_chain", to_hex(entry.prev_chain))
      .string("chain", to_hex(view.chain))
      .number("body_bytes", entry.body.size())
      .number("stored_bytes", view.stored_bytes)
      .text();
}

std::string to_text(const EventView& view, bool with_bytes) {
  return "position " + to_text(eventstore::PublicPosition{view.generation, 0, view.position}) +
         " in entry " + std::to_string(view.entry_no) + "\n" + eventstore::public_json(view.event) +
         "\nstored " + std::to_string(view.bytes.size()) + " bytes" +
         (with_bytes ? " " + to_hex(view.bytes) : "; --hex shows them") + "\n";
}

std::string to_json(const EventView& view) {
  const std::string json = eventstore::public_json(view.event);
  return JsonObject()
      .string("position", to_text(eventstore::PublicPosition{view.generation, 0, view.position}))
      .number("entry", view.entry_no)
      .string("hash", to_hex(eventstore::public_hash(json)))
      .raw("event", json)
      .string("stored", to_hex(view.bytes))
      .text();
}

std::string to_text(const LedgerStats& stats) {
  std::string text = "ledger " + stats.ledger_id + "\nlog: " + head_text(stats.head) +
                     "\nwatermark: " + head_text(stats.watermark) + ", written " +
                     std::to_string(stats.watermark_sequence) + " times" +
                     (stats.watermark_slot_damaged ? ", one slot damaged" : "") + "\n";
  if (stats.quarantined_entries > 0) {
    text += "put aside when opened: " + std::to_string(stats.quarantined_entries) + " entries\n";
  }
  const std::uint64_t events = stats.head.next_position;
  text += "bytes per event: " + ratio(stats.body_bytes, events) + " encoded, " +
          ratio(stats.stored_bytes, events) +
          " stored; events per entry: " + ratio(events, stats.head.entry_count) + "\n";
  for (const auto& [name, type] : stats.types) {
    text += name + ": " + std::to_string(type.events) + " events, " +
            ratio(type.bytes, type.events) + " bytes each\n";
  }
  for (const auto& [name, checkpoint] : stats.checkpoints) {
    text += "projection " + name + ": ";
    text += checkpoint ? "flushed before position " + std::to_string(checkpoint->next_position) +
                             ", entry " + std::to_string(checkpoint->entry_no)
                       : "nothing flushed";
    text += "\n";
  }
  return text;
}

std::string to_json(const LedgerStats& stats) {
  JsonObject types;
  for (const auto& [name, type] : stats.types) {
    types.raw(name, JsonObject().number("events", type.events).number("bytes", type.bytes).text());
  }
  JsonObject checkpoints;
  for (const auto& [name, checkpoint] : stats.checkpoints) {
    if (!checkpoint) {
      checkpoints.null(name);
      continue;
    }
    checkpoints.raw(name, JsonObject()
                              .number("next_position", checkpoint->next_position)
                              .number("entries", checkpoint->entry_no)
                              .number("code_version", checkpoint->code_version)
                              .string("chain", to_hex(checkpoint->chain))
                              .text());
  }
  return JsonObject()
      .string("ledger", stats.ledger_id)
      .raw("head", head_json(stats.head))
      .raw("watermark", head_json(stats.watermark))
      .number("watermark_sequence", stats.watermark_sequence)
      .boolean("watermark_slot_damaged", stats.watermark_slot_damaged)
      .number("quarantined_entries", stats.quarantined_entries)
      .number("body_bytes", stats.body_bytes)
      .number("stored_bytes", stats.stored_bytes)
      .string("stored_bytes_per_event", ratio(stats.stored_bytes, stats.head.next_position))
      .raw("types", types.text())
      .raw("checkpoints", checkpoints.text())
      .text();
}

}  // namespace daybook::replay
