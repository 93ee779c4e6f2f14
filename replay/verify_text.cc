#include "domain/base/utf8.h"
#include "eventstore/json_text.h"
#include "eventstore/position.h"
#include "replay/ledger_files.h"
#include "replay/verify.h"

namespace daybook::replay {
namespace {

using eventstore::JsonObject;

/// What was found may be any bytes, and JSON may not.
std::string json_safe(const std::string& text) {
  return is_utf8(text) ? text : "bytes " + eventstore::to_hex(text);
}

std::string difference_json(const Difference& difference) {
  return JsonObject()
      .string("check", difference.check)
      .string("where", json_safe(difference.where))
      .string("expected", json_safe(difference.expected))
      .string("found", json_safe(difference.found))
      .text();
}

std::string head_json(const eventstore::LogHead& head) {
  return JsonObject()
      .number("generation", head.generation)
      .number("entries", head.entry_count)
      .number("events", head.next_position)
      .string("chain", eventstore::to_hex(head.chain))
      .string("recorded_at", to_rfc3339(head.last_recorded_at))
      .text();
}

std::string tables_json(const VerifyReport& report) {
  std::vector<std::string> tables;
  for (const VerifiedTable& table : report.tables) {
    JsonObject json;
    json.string("name", table.name)
        .string("before_position",
                to_text(eventstore::PublicPosition{report.head.generation, 0, table.position}))
        .number("rows", table.rows)
        .boolean("compared", table.skipped.empty());
    if (!table.skipped.empty()) json.string("skipped", table.skipped);
    tables.push_back(json.text());
  }
  return eventstore::json_array(tables);
}

std::string notes_json(const VerifyReport& report) {
  std::vector<std::string> notes;
  for (const std::string& note : report.notes) notes.push_back(eventstore::json_string(note));
  return eventstore::json_array(notes);
}

std::string postings_json(const VerifyReport& report) {
  std::vector<std::string> rows;
  for (const auto& total : report.postings) {
    const int decimals = total.currency.exponent();
    rows.push_back(JsonObject()
                       .string("currency", total.currency.code())
                       .string("debits", to_text(total.sums.debits, decimals))
                       .string("credits", to_text(total.sums.credits, decimals))
                       .text());
  }
  return eventstore::json_array(rows);
}

}  // namespace

std::string to_text(const Difference& difference) {
  return difference.check + " at " + difference.where + ": expected " + difference.expected +
         ", found " + difference.found;
}

std::string to_text(const VerifyReport& report) {
  const std::string outcome =
      (report.ok() ? "ok" : "DIFFERS: " + to_text(*report.difference)) + "\n";
  if (!report.was_opened()) return outcome;
  const eventstore::LogHead& head = report.head;
  std::string text =
      "ledger " + report.ledger_id + ", generation " + std::to_string(head.generation) + "\n";
  text += "log: " + std::to_string(head.next_position) + " events in " +
          std::to_string(head.entry_count) + " entries, chain " + eventstore::to_hex(head.chain) +
          "\n";
  text += "read: " + std::to_string(report.events) + " events of " +
          std::to_string(report.streams) + " streams, " + std::to_string(report.private_values) +
          " private values\n";
  for (const auto& total : report.postings) {
    const int decimals = total.currency.exponent();
    text += "postings " + std::string(total.currency.code()) + ": debits " +
            to_text(total.sums.debits, decimals) + ", credits " +
            to_text(total.sums.credits, decimals) + "\n";
  }
  for (const VerifiedTable& table : report.tables) {
    text += "projection " + table.name + ": ";
    text += table.skipped.empty() ? std::to_string(table.rows) + " rows before position " +
                                        std::to_string(table.position)
                                  : "not compared, " + table.skipped;
    text += "\n";
  }
  for (const std::string& note : report.notes) text += "note: " + note + "\n";
  return text + outcome;
}

std::string to_json(const VerifyReport& report) {
  return JsonObject()
      .boolean("ok", report.ok())
      .raw("ledger", report.was_opened() ? eventstore::json_string(report.ledger_id) : "null")
      .raw("head", report.was_opened() ? head_json(report.head) : "null")
      .number("entries", report.entries)
      .number("events", report.events)
      .number("streams", report.streams)
      .number("private_values", report.private_values)
      .raw("postings", postings_json(report))
      .raw("projections", tables_json(report))
      .raw("notes", notes_json(report))
      .raw("difference", report.ok() ? "null" : difference_json(*report.difference))
      .number("attempts", static_cast<std::uint64_t>(report.attempts))
      .text();
}

}  // namespace daybook::replay
