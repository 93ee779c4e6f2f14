#include "eventstore/rocks_log_copy.h"

#include <memory>

#include "eventstore/files.h"
#include "eventstore/log_keys.h"
#include "eventstore/rocks_log.h"
#include "eventstore/rocks_log_db.h"
#include "eventstore/watermark.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{8} << 20;

/// Entries on their way into a log that nobody has open.
class Copy {
 public:
  explicit Copy(RocksLogDb& db) : db_(db) {}

  Status add(const Entry& entry) {
    const Status continues = check_continues(head_, entry);
    if (!continues.ok()) return corrupt(continues.message());
    const LogHead after = head_after(entry, chain_of(entry));
    std::string bytes = encode_entry(entry);
    bytes_ += bytes.size();
    batch_.put(RocksLogDb::kEntries,
               entry_key(entry.partition, entry.base_position, entry.entry_no), std::move(bytes));
    if (after.next_position / kAnchorEveryEvents != head_.next_position / kAnchorEveryEvents) {
      batch_.put(RocksLogDb::kMeta, anchor_key(entry.partition, after.entry_count),
                 encode_anchor(after));
    }
    head_ = after;
    return bytes_ < kBatchBytes ? Status() : write();
  }

  Status write() {
    if (batch_.empty()) return {};
    Status status = db_.write(batch_);
    batch_.clear();
    bytes_ = 0;
    return status;
  }

  const LogHead& head() const { return head_; }

 private:
  RocksLogDb& db_;
  KvBatch batch_;
  std::size_t bytes_ = 0;
  LogHead head_;
};

Status copy_entries(const EventLog& from, const LogHead& end, RocksLogDb& db) {
  auto cursor = from.read(0);
  if (!cursor.ok()) return cursor.status();
  Copy copy(db);
  while (copy.head().entry_count < end.entry_count) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) break;
    if (Status status = copy.add(**entry); !status.ok()) return status;
  }
  if (copy.head() != end) {
    return corrupt("the copied log ends with entry " + std::to_string(copy.head().entry_count) +
                   " and chain " + to_hex(copy.head().chain) + ", expected entry " +
                   std::to_string(end.entry_count) + " and chain " + to_hex(end.chain));
  }
  return copy.write();
}

}  // namespace

Result<LogHead> copy_log(const EventLog& from, const std::string& ledger_id,
                         const std::string& dir) {
  const std::string log = dir + "/log";
  if (path_exists(log) || path_exists(log + ".watermark")) {
    return conflict(log + ": there is a log already");
  }
  const LogHead end = from.head();
  RocksLog::Options options;
  options.create_if_missing = true;
  options.locked_by_caller = true;
  options.ledger_id = ledger_id;
  {
    const auto created = RocksLog::open(dir, options);
    if (!created.ok()) return created.status();
  }
  {
    const auto db = RocksLogDb::open(log, RocksLogDb::Mode::kReadWrite, nullptr);
    if (!db.ok()) return db.status();
    if (Status status = copy_entries(from, end, **db); !status.ok()) return status;
  }
  const Status acknowledged = WatermarkFile::create(log + ".watermark", end, from.closed());
  if (!acknowledged.ok()) return acknowledged;
  return end;
}

}  // namespace daybook::eventstore
