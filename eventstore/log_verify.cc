#include "eventstore/log_verify.h"

#include <algorithm>
#include <utility>

#include "eventstore/log_keys.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kQuarantineRowsPerBatch = 16;

/// `positions 3 to 9 (entries 1 to 2)`; both ends included, the first not after the last entry.
std::string range(std::uint64_t position, std::uint64_t position_end, std::uint64_t entry,
                  std::uint64_t entry_end) {
  const std::string entries =
      "entries " + std::to_string(entry) + " to " + std::to_string(entry_end - 1);
  if (position_end <= position) return entries;
  return "positions " + std::to_string(position) + " to " + std::to_string(position_end - 1) +
         " (" + entries + ")";
}

std::string end_of(const LogHead& head) {
  if (head.entry_count == 0) return "the log is empty";
  const std::string entry = "entry " + std::to_string(head.entry_count - 1);
  if (head.next_position == 0) return "the log ends with " + entry;
  return "the log ends at position " + std::to_string(head.next_position - 1) + " (" + entry + ")";
}

Status gone(const LogHead& head, const LogHead& watermark) {
  return corrupt(
      range(head.next_position, watermark.next_position, head.entry_count, watermark.entry_count) +
      " were acknowledged and are gone: " + end_of(head));
}

/// What to say of a row below the watermark that does not continue the log.
Status broken(const LogHead& head, const LogHead& watermark, const Result<Entry>& found,
              const Status& reason) {
  if (found.ok() && found->entry_no > head.entry_count &&
      found->base_position >= head.next_position) {
    return corrupt(
        range(head.next_position, std::min(found->base_position, watermark.next_position),
              head.entry_count, std::min(found->entry_no, watermark.entry_count)) +
        " were acknowledged and are gone: the log goes on with entry " +
        std::to_string(found->entry_no) + " at position " + std::to_string(found->base_position));
  }
  return corrupt(
      range(head.next_position, watermark.next_position, head.entry_count, watermark.entry_count) +
      " were acknowledged and cannot be proven: " + reason.message());
}

Status compare(const LogHead& head, const LogHead& watermark) {
  if (head == watermark) return {};
  return corrupt("the log differs from what was acknowledged: behind entry " +
                 std::to_string(watermark.entry_count) + " expected position " +
                 std::to_string(watermark.next_position) + " and chain " + to_hex(watermark.chain) +
                 ", found position " + std::to_string(head.next_position) + " and chain " +
                 to_hex(head.chain));
}

/// The last anchor at or below the watermark that the entry before it bears out. Anything doubtful
/// gives the beginning: verifying all then finds what is really wrong.
Result<LogHead> start_of(const LogRows& stored, const LogHead& watermark, std::uint32_t partition) {
  const auto row =
      stored.last_before(LogRows::kMeta, anchor_key(partition, watermark.entry_count + 1));
  if (!row.ok()) return row.status();
  if (!row->has_value() || !is_anchor_key(partition, (*row)->first)) return LogHead();
  const std::optional<LogHead> anchor = decode_anchor((*row)->second);
  if (!anchor || (*row)->first != anchor_key(partition, anchor->entry_count)) return LogHead();

  const auto before = stored.last_before(
      LogRows::kEntries, entry_key(partition, anchor->next_position, anchor->entry_count));
  if (!before.ok()) return before.status();
  if (!before->has_value()) return LogHead();
  const Result<Entry> entry = decode_entry((*before)->second);
  if (!entry.ok() || head_after(*entry, chain_of(*entry)) != *anchor) return LogHead();
  return *anchor;
}

Status check_row(const KvCursor& row, const Result<Entry>& entry, const LogHead& head,
                 std::uint32_t partition) {
  if (!entry.ok()) return entry.status();
  if (entry->partition != partition ||
      row.key() != entry_key(partition, entry->base_position, entry->entry_no)) {
    return corrupt("entry " + std::to_string(entry->entry_no) + " is stored under another's key");
  }
  return check_continues(head, *entry);
}

}  // namespace

Result<VerifiedLog> verify_log(const LogRows& stored, const LogHead& watermark,
                               const VerifyOptions& options) {
  VerifiedLog log;
  if (options.from_last_anchor) {
    Result<LogHead> start = start_of(stored, watermark, options.partition);
    if (!start.ok()) return start.status();
    log.head = *start;
    log.verified_from = start->next_position;
  }
  const auto rows =
      stored.scan(LogRows::kEntries,
                  entry_key(options.partition, log.head.next_position, log.head.entry_count));
  for (;; rows->next()) {
    if (log.head.entry_count == watermark.entry_count) {
      const Status same = compare(log.head, watermark);
      if (!same.ok()) return same;
      if (options.stop_at_watermark) return log;
    }
    if (!rows->valid() || !entry_no_of_key(options.partition, rows->key())) break;
    const Result<Entry> entry = decode_entry(rows->value());
    const Status continues = check_row(*rows, entry, log.head, options.partition);
    if (!continues.ok()) {
      if (log.head.entry_count < watermark.entry_count) {
        return broken(log.head, watermark, entry, continues);
      }
      log.orphan = std::string(rows->key());
      return log;
    }
    log.head = head_after(*entry, chain_of(*entry));
    ++log.entries;
  }
  if (!rows->status().ok()) {
    if (log.head.entry_count >= watermark.entry_count) return rows->status();
    return broken(log.head, watermark, rows->status(), rows->status());
  }
  if (log.head.entry_count < watermark.entry_count) return gone(log.head, watermark);
  return log;
}

Result<std::uint64_t> quarantine_from(LogRows& stored, std::uint32_t partition,
                                      const std::string& first, const LogHead& head) {
  // Anchors first: one without its entry must never be there.
  KvBatch anchors;
  const auto metas = stored.scan(LogRows::kMeta, anchor_key(partition, head.entry_count + 1));
  for (; metas->valid() && is_anchor_key(partition, metas->key()); metas->next()) {
    anchors.erase(LogRows::kMeta, std::string(metas->key()));
  }
  if (!metas->status().ok()) return metas->status();
  if (!anchors.empty()) {
    const Status dropped = stored.write(anchors);
    if (!dropped.ok()) return dropped;
  }

  const auto last = stored.last_before(LogRows::kQuarantine, std::string(9, '\xff'));
  if (!last.ok()) return last.status();
  std::uint64_t number = 0;
  if (last->has_value()) number = number_of_quarantine_key((*last)->first).value_or(0) + 1;

  std::uint64_t moved = 0;
  KvBatch batch;
  const auto rows = stored.scan(LogRows::kEntries, first);
  while (rows->valid() && entry_no_of_key(partition, rows->key())) {
    const std::string key(rows->key());
    batch.put(LogRows::kQuarantine, quarantine_key(number++, key), std::string(rows->value()));
    batch.erase(LogRows::kEntries, key);
    ++moved;
    rows->next();
    if (moved % kQuarantineRowsPerBatch != 0) continue;
    const Status written = stored.write(batch);
    if (!written.ok()) return written;
    batch.clear();
  }
  if (!rows->status().ok()) return rows->status();
  if (!batch.empty()) {
    const Status written = stored.write(batch);
    if (!written.ok()) return written;
  }
  return moved;
}

}  // namespace daybook::eventstore
