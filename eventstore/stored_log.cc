#include "eventstore/stored_log.h"

#include <algorithm>
#include <utility>

#include "domain/base/check.h"
#include "eventstore/log_keys.h"
#include "eventstore/log_verify.h"

namespace daybook::eventstore {
namespace {

constexpr std::string_view kFormat = "\x01";

}  // namespace

/// Entries up to the published head, by an iterator that is let go of at the end.
class StoredLog::Cursor final : public EntryCursor {
 public:
  Cursor(const StoredLog& log, std::uint64_t position) : log_(log), position_(position) {}

  Result<std::optional<Entry>> next() override {
    if (!failure_.ok()) return failure_;
    Result<std::optional<Entry>> entry = step();
    if (!entry.ok()) failure_ = entry.status();
    return entry;
  }

 private:
  Result<std::optional<Entry>> step() {
    const LogHead head = log_.head();
    if (expected_ ? expected_->entry_count >= head.entry_count : position_ > head.next_position) {
      rows_.reset();
      return std::optional<Entry>();
    }
    // An iterator does not see what was written after it was made: at its end, one new try.
    if (rows_ != nullptr && !rows_->valid() && rows_->status().ok()) rows_.reset();
    if (rows_ == nullptr) {
      const Result<std::string> key = next_key();
      if (!key.ok()) return key.status();
      rows_ = log_.rows_->scan(LogRows::kEntries, *key);
    }
    if (!rows_->status().ok()) return rows_->status();
    const std::optional<std::uint64_t> number =
        rows_->valid() ? entry_no_of_key(log_.options_.partition, rows_->key()) : std::nullopt;
    if (!expected_ && (!number || *number >= head.entry_count)) {
      rows_.reset();
      return std::optional<Entry>();
    }
    if (!number) return corrupt("entry " + std::to_string(expected_->entry_count) + " is gone");
    return take_row();
  }

  Result<std::optional<Entry>> take_row() {
    Result<Entry> entry = decode_entry(rows_->value());
    if (!entry.ok()) return entry.status();
    if (!expected_) {
      expected_ = LogHead{entry->generation, entry->entry_no, entry->base_position,
                          entry->prev_chain, entry->first_recorded_at};
    }
    const Status continues = check_continues(*expected_, *entry);
    if (!continues.ok()) return corrupt(continues.message());
    expected_ = head_after(*entry, chain_of(*entry));
    rows_->next();
    return std::optional<Entry>(std::move(*entry));
  }

  /// Where to read on. For the first entry: the last one that is not based after the position, if
  /// it holds it. That is not the first one based there: entries without events may come before.
  Result<std::string> next_key() const {
    const std::uint32_t partition = log_.options_.partition;
    if (expected_) return entry_key(partition, expected_->next_position, expected_->entry_count);
    std::string at = entry_key(partition, position_, 0);
    if (position_ == 0 || position_ == UINT64_MAX) return at;
    const auto before =
        log_.rows_->last_before(LogRows::kEntries, entry_key(partition, position_ + 1, 0));
    if (!before.ok()) return before.status();
    if (!before->has_value() || !entry_no_of_key(partition, (*before)->first)) return at;
    const Result<Entry> entry = decode_entry((*before)->second);
    if (!entry.ok()) return entry.status();
    return entry->end_position() > position_ ? (*before)->first : at;
  }

  const StoredLog& log_;
  const std::uint64_t position_;
  std::optional<LogHead> expected_;  ///< Where the log stood after the entry given last.
  std::unique_ptr<KvCursor> rows_;
  Status failure_;
};

Status StoredLog::create(LogRows& rows, const std::string& ledger_id) {
  KvBatch meta;
  meta.put(LogRows::kMeta, kFormatKey, kFormat);
  meta.put(LogRows::kMeta, kLedgerKey, ledger_id);
  return rows.write(meta);
}

Result<std::unique_ptr<StoredLog>> StoredLog::open(std::unique_ptr<LogRows> rows,
                                                   std::unique_ptr<Watermark> watermark,
                                                   const Options& options) {
  CHECK(watermark != nullptr);
  auto log =
      std::unique_ptr<StoredLog>(new StoredLog(std::move(rows), std::move(watermark), options));
  const Watermark::Loaded& loaded = log->watermark_->at_open();
  Status status = log->verify(loaded);
  if (status.ok()) status = log->settle(loaded);
  if (!status.ok()) return status;
  return log;
}

Result<std::unique_ptr<StoredLog>> StoredLog::open_for_reading(std::unique_ptr<LogRows> rows,
                                                               const Watermark::Loaded& watermark,
                                                               const Options& options) {
  auto log = std::unique_ptr<StoredLog>(new StoredLog(std::move(rows), nullptr, options));
  if (Status status = log->verify(watermark); !status.ok()) return status;
  return log;
}

Status StoredLog::verify(const Watermark::Loaded& loaded) {
  if (Status meta = read_meta(); !meta.ok()) return meta;
  // A slot that cannot be read may have acknowledged more: then a reader goes as far as a start
  // does. Beside a writer that may be an entry whose answer is still on its way.
  const bool stop_at_watermark = watermark_ == nullptr && !loaded.slot_damaged;
  const auto verified = verify_log(
      *rows_, loaded.head, {options_.partition, options_.from_last_anchor, stop_at_watermark});
  if (!verified.ok()) {
    return {verified.status().code(), options_.name + ": " + verified.status().message()};
  }
  head_ = verified->head;
  closed_ = wanted_closed_ = loaded.closed;
  orphan_ = verified->orphan;
  report_.verified_from = verified->verified_from;
  report_.verified_entries = verified->entries;
  report_.unacknowledged_entries = head_.entry_count - loaded.head.entry_count;
  report_.unproven_rows = orphan_.has_value();
  report_.watermark_slot_damaged = loaded.slot_damaged;
  return {};
}

Status StoredLog::read_meta() {
  const auto format = rows_->get(LogRows::kMeta, kFormatKey);
  if (!format.ok()) return format.status();
  const auto ledger = rows_->get(LogRows::kMeta, kLedgerKey);
  if (!ledger.ok()) return ledger.status();
  if (*format != kFormat || !ledger->has_value()) {
    return corrupt(options_.name + ": expected format 1 and a ledger id, found format " +
                   (format->has_value() ? to_hex(**format) : "none"));
  }
  ledger_id_ = **ledger;
  if (!options_.ledger_id.empty() && options_.ledger_id != ledger_id_) {
    return conflict(options_.name + ": expected ledger " + options_.ledger_id + ", found " +
                    ledger_id_);
  }
  return {};
}

/// The tail that is proven is acknowledged from now on; what does not continue it is put aside.
Status StoredLog::settle(const Watermark::Loaded& loaded) {
  if (orphan_) {
    const auto moved = quarantine_from(*rows_, options_.partition, *orphan_, head_);
    if (!moved.ok()) return moved.status();
    report_.quarantined_entries = *moved;
  }
  // Nothing may rest on a watermark that was read and is on no disk.
  if (Status confirmed = watermark_->confirm(); !confirmed.ok()) return confirmed;
  // What of the tail was read is durable: recovery wrote it anew and synced it.
  if (head_ != loaded.head || loaded.slot_damaged) return watermark_->store(head_, closed_);
  return {};
}

LogHead StoredLog::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

AppendOutcome StoredLog::append(const Entry& entry) {
  CHECK(watermark_ != nullptr);
  if (!still_sound()) return AppendOutcome::kUnknown;
  const LogHead before = head();
  CHECK(entry.partition == options_.partition);
  CHECK(check_continues(before, entry).ok());
  const LogHead after = head_after(entry, chain_of(entry));

  KvBatch batch;
  batch.put(LogRows::kEntries, entry_key(entry.partition, entry.base_position, entry.entry_no),
            encode_entry(entry));
  if (after.next_position / kAnchorEveryEvents != before.next_position / kAnchorEveryEvents) {
    batch.put(LogRows::kMeta, anchor_key(entry.partition, after.entry_count), encode_anchor(after));
  }
  // Until the new head is known: close() writes the head that it sees. From before the rows are
  // written: a power cut tears one of the two, and the other one says so (rocks_log.cc).
  const std::lock_guard watermark(watermark_mutex_);
  Status status = rows_->write(batch);
  const Instant wanted = wanted_closed();
  if (status.ok()) status = watermark_->store(after, wanted);
  const std::lock_guard lock(mutex_);
  if (!status.ok()) {
    failure_ = std::move(status);
    return AppendOutcome::kUnknown;
  }
  head_ = after;
  closed_ = wanted;
  return AppendOutcome::kCommitted;
}

Instant StoredLog::closed() const {
  const std::lock_guard lock(mutex_);
  return std::max(closed_, head_.last_recorded_at);
}

Status StoredLog::close(Instant time) {
  if (time <= closed()) return {};
  CHECK(watermark_ != nullptr);
  {
    const std::lock_guard lock(mutex_);
    wanted_closed_ = std::max(wanted_closed_, time);
  }
  // Whoever stores next stores what all have asked for meanwhile: beside appends, one more sync
  // for each of them at most.
  const std::lock_guard watermark(watermark_mutex_);
  if (time <= closed()) return {};
  if (!still_sound()) return failure();
  const Instant wanted = wanted_closed();
  const Status status = watermark_->store(head(), wanted);
  const std::lock_guard lock(mutex_);
  if (status.ok()) {
    closed_ = wanted;
  } else {
    failure_ = status;
  }
  return status;
}

Instant StoredLog::wanted_closed() const {
  const std::lock_guard lock(mutex_);
  return wanted_closed_;
}

bool StoredLog::still_sound() {
  const std::lock_guard lock(mutex_);
  if (failure_.ok()) failure_ = rows_->background_failure();
  return failure_.ok();
}

void StoredLog::fail(Status why) {
  const std::lock_guard lock(mutex_);
  if (failure_.ok()) failure_ = std::move(why);
}

Status StoredLog::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_.ok() ? rows_->background_failure() : failure_;
}

Result<std::unique_ptr<EntryCursor>> StoredLog::read(std::uint64_t position) const {
  return std::unique_ptr<EntryCursor>(std::make_unique<Cursor>(*this, position));
}

}  // namespace daybook::eventstore
