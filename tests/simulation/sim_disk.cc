#include "tests/simulation/sim_disk.h"

#include <iterator>
#include <utility>

#include "eventstore/watermark_slots.h"
#include "tests/simulation/trace.h"

namespace daybook::simulation {

using eventstore::KvBatch;
using eventstore::KvCursor;
using eventstore::LogHead;
using eventstore::LogRows;
using eventstore::Watermark;

namespace {

constexpr const char* kLedger = "simulated";

Status failed() { return io_error("simulated"); }

}  // namespace

/// Rows of a moment: those that come later are not seen.
class SimDisk::Cursor final : public KvCursor {
 public:
  Cursor(const SimDisk& disk, const Table& rows, std::string_view from)
      : disk_(disk), rows_(rows), at_(rows.lower_bound(from)) {
    if (!rows.empty()) last_ = rows.rbegin()->first;
    step();
  }
  bool valid() const override { return row_.has_value(); }
  void next() override {
    at_ = rows_.upper_bound(row_->first);
    step();
  }
  std::string_view key() const override { return row_->first; }
  std::string_view value() const override { return row_->second; }
  Status status() const override { return status_; }

 private:
  void step() {
    status_ = disk_.next_read();
    const bool has_more = status_.ok() && at_ != rows_.end() && at_->first <= last_;
    row_ = has_more ? std::optional<LogRows::Row>(*at_) : std::nullopt;
  }

  const SimDisk& disk_;
  const Table& rows_;
  Table::const_iterator at_;
  std::string last_;
  std::optional<LogRows::Row> row_;
  Status status_;
};

class SimDisk::Rows final : public LogRows {
 public:
  explicit Rows(SimDisk& disk) : disk_(disk) {}

  Status write(const KvBatch& batch) override {
    const std::optional<Fault> fault = disk_.next_write();
    if (fault != Fault::kLost) disk_.write_rows(batch);
    if (fault == Fault::kTorn) {
      const KvBatch::Operation& last = batch.operations().back();
      if (last.value) {
        Table& table = disk_.bytes_.rows.at(last.table);
        table.find(last.key)->second.resize(last.value->size() / 2);
      }
    }
    return fault ? failed() : Status();
  }
  Status background_failure() const override { return {}; }
  Result<std::optional<std::string>> get(eventstore::Table table,
                                         std::string_view key) const override {
    if (Status status = disk_.next_read(); !status.ok()) return status;
    const Table& rows = disk_.bytes_.rows.at(table);
    const auto found = rows.find(key);
    return found == rows.end() ? std::nullopt : std::optional<std::string>(found->second);
  }
  Result<std::optional<Row>> last_before(eventstore::Table table,
                                         std::string_view key) const override {
    if (Status status = disk_.next_read(); !status.ok()) return status;
    const Table& rows = disk_.bytes_.rows.at(table);
    const auto found = rows.lower_bound(key);
    return found == rows.begin() ? std::nullopt : std::optional<Row>(*std::prev(found));
  }
  std::unique_ptr<KvCursor> scan(eventstore::Table table, std::string_view from) const override {
    return std::make_unique<Cursor>(disk_, disk_.bytes_.rows.at(table), from);
  }

 private:
  SimDisk& disk_;
};

class SimDisk::Slots final : public Watermark {
 public:
  Slots(SimDisk& disk, const Loaded& loaded)
      : disk_(disk), at_open_(loaded), sequence_(loaded.sequence) {}

  const Loaded& at_open() const override { return at_open_; }
  Status confirm() override { return write(at_open_.head, at_open_.closed); }
  Status store(const LogHead& head, Instant closed) override {
    ++sequence_;
    return write(head, closed);
  }

 private:
  Status write(const LogHead& head, Instant closed) {
    const std::optional<Fault> fault = disk_.next_write();
    std::string slot = eventstore::encode_watermark_slot(sequence_, head, closed);
    // What is beside the fields is zero: half of the slot is all of the fields, and no checksum.
    if (fault == Fault::kTorn) slot.resize(slot.size() / 2);
    const std::size_t offset = eventstore::watermark_slot_offset(sequence_);
    if (fault != Fault::kLost) disk_.bytes_.watermark.replace(offset, slot.size(), slot);
    // A sync takes the slot that was written: the kernel calls the other one clean.
    if (!fault || fault == Fault::kTorn) {
      disk_.bytes_.synced_watermark.replace(offset, slot.size(), slot);
    }
    return fault ? failed() : Status();
  }

  SimDisk& disk_;
  Loaded at_open_;
  std::uint64_t sequence_;
};

const std::vector<SimDisk::Damage>& SimDisk::damages() {
  static const std::vector<Damage> kAll{
      Damage::kBitInEntry,     Damage::kEntryCutOff,    Damage::kEntryGone,
      Damage::kTailGone,       Damage::kEntriesSwapped, Damage::kMetaGone,
      Damage::kBitInWatermark, Damage::kSlotZeroed,     Damage::kWatermarkCutOff};
  return kAll;
}

SimDisk::SimDisk() {
  Rows rows(*this);
  require(eventstore::StoredLog::create(rows, kLedger).ok(), "a log cannot be created");
  for (std::uint64_t slot = 0; slot < 2; ++slot) {
    bytes_.watermark += eventstore::encode_watermark_slot(slot, LogHead(), {});
  }
  bytes_.synced_watermark = bytes_.watermark;
}

Result<std::unique_ptr<eventstore::StoredLog>> SimDisk::open() {
  const auto loaded = eventstore::decode_watermark(bytes_.watermark);
  if (!loaded.ok()) return loaded.status();
  eventstore::StoredLog::Options options;
  options.name = "sim";
  options.ledger_id = kLedger;
  return eventstore::StoredLog::open(std::make_unique<Rows>(*this),
                                     std::make_unique<Slots>(*this, *loaded), options);
}

void SimDisk::disarm() {
  write_fault_.reset();
  failing_read_.reset();
}

void SimDisk::restart() {
  disarm();
  has_failed_ = false;
}

bool SimDisk::cut_power() {
  return std::exchange(bytes_.watermark, bytes_.synced_watermark) != bytes_.synced_watermark;
}

void SimDisk::damage(Damage damage, Rng& rng) {
  Table& entries = bytes_.rows[LogRows::kEntries];
  const bool of_entries = damage != Damage::kMetaGone && damage != Damage::kBitInWatermark &&
                          damage != Damage::kSlotZeroed && damage != Damage::kWatermarkCutOff;
  // What is not acknowledged yet has nothing behind it that proves it: there, a changed bit is for
  // the checksums of the store to find, which are not simulated.
  const std::uint64_t proven =
      eventstore::decode_watermark(bytes_.watermark).value().head.entry_count;
  if (of_entries && proven == 0) return;
  auto entry = of_entries
                   ? std::next(entries.begin(), static_cast<std::ptrdiff_t>(rng.below(proven)))
                   : entries.end();
  const auto flip = [&rng](std::string& bytes) {
    char& byte = bytes[rng.below(bytes.size())];
    byte = static_cast<char>(static_cast<std::uint8_t>(byte) ^ (1U << rng.below(8)));
  };
  switch (damage) {
    case Damage::kBitInEntry:
      return flip(entry->second);
    case Damage::kEntryCutOff:
      return entry->second.resize(rng.below(entry->second.size()));
    case Damage::kEntryGone:
      entries.erase(entry);
      return;
    case Damage::kTailGone:
      entries.erase(entry, entries.end());
      return;
    case Damage::kEntriesSwapped:
      return entry->second.swap(entries.begin()->second);
    case Damage::kMetaGone:
      bytes_.rows[LogRows::kMeta].clear();
      return;
    case Damage::kBitInWatermark:
      return flip(bytes_.watermark);
    case Damage::kSlotZeroed:
      bytes_.watermark.replace(eventstore::watermark_slot_offset(rng.below(2)),
                               eventstore::kWatermarkSlotBytes,
                               std::string(eventstore::kWatermarkSlotBytes, '\0'));
      return;
    case Damage::kWatermarkCutOff:
      return bytes_.watermark.resize(rng.below(bytes_.watermark.size()));
  }
}

void SimDisk::write_rows(const KvBatch& batch) {
  for (const KvBatch::Operation& operation : batch.operations()) {
    Table& table = bytes_.rows.at(operation.table);
    if (operation.value) {
      table.insert_or_assign(std::string(operation.key), std::string(*operation.value));
    } else {
      table.erase(std::string(operation.key));
    }
  }
}

std::optional<SimDisk::Fault> SimDisk::next_write() {
  require(!has_failed_, "the log writes on after a write or sync has failed");
  const std::uint64_t number = writes_++;
  if (!write_fault_ || write_fault_->first != number) return std::nullopt;
  has_failed_ = true;
  return write_fault_->second;
}

Status SimDisk::next_read() const {
  if (reads_++ != failing_read_) return {};
  failing_read_.reset();
  return failed();
}

}  // namespace daybook::simulation
