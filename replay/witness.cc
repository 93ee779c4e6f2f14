#include "replay/witness.h"

#include <algorithm>
#include <utility>

#include "eventstore/entry.h"
#include "replay/ledger_files.h"

namespace daybook::replay {
namespace {

using eventstore::EventLog;
using eventstore::LogHead;
using eventstore::PathLock;
using eventstore::WatermarkFile;

std::string describe(const LogHead& head) {
  return std::to_string(head.next_position) + " events in " + std::to_string(head.entry_count) +
         " entries";
}

/// The head behind so many entries, if the log has them.
Result<std::optional<LogHead>> head_behind(const EventLog& log, const LogHead& seen) {
  // The last of those entries may have no events: it stands behind the one with the last event.
  auto cursor = log.read(seen.next_position == 0 ? 0 : seen.next_position - 1);
  if (!cursor.ok()) return cursor.status();
  while (true) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry || (*entry)->entry_no >= seen.entry_count) return std::optional<LogHead>();
    if ((*entry)->entry_no + 1 < seen.entry_count) continue;
    return std::optional(eventstore::head_after(**entry, eventstore::chain_of(**entry)));
  }
}

Status in_words(const Status& status) {
  return Status(status.code(), "witness " + status.message());
}

std::string slot_damaged(const std::string& path) {
  return "witness " + path + ": one of its two slots could not be read; it may have seen more " +
         "than the other one tells";
}

}  // namespace

Seen see(const EventLog& log) { return {log.head(), log.closed()}; }

Status check_seen(const std::string& path, const LogHead& seen, const EventLog& log) {
  if (seen.entry_count == 0) return {};
  const std::string both =
      "witness " + path + " has seen " + describe(seen) + ", the log holds " + describe(log.head());
  if (log.head().entry_count < seen.entry_count) {
    return corrupt(both + ": the directory was rolled back");
  }
  const auto found = head_behind(log, seen);
  if (!found.ok()) return found.status();
  if (*found != seen) {
    return corrupt(both + ", but with another past: it was rolled back and written on, restored " +
                   "from a backup that is older, or is of another ledger");
  }
  return {};
}

Result<std::unique_ptr<Witness>> Witness::open(const std::string& path) {
  auto lock = PathLock::take_file(path);
  if (!lock.ok()) return in_words(lock.status());
  return open_locked(path, std::move(*lock));
}

Result<std::unique_ptr<Witness>> Witness::open_locked(const std::string& path,
                                                      std::unique_ptr<PathLock> lock) {
  auto file = WatermarkFile::open(path);
  if (!file.ok()) return in_words(file.status());
  // What is in memory alone is no proof once the power has gone.
  if (Status confirmed = (*file)->confirm(); !confirmed.ok()) return in_words(confirmed);
  return std::unique_ptr<Witness>(new Witness(path, std::move(lock), std::move(*file)));
}

Result<std::unique_ptr<Witness>> Witness::make(const std::string& path, const Seen& seen) {
  const std::string fresh = path + ".new";
  auto lock = PathLock::take_new_file(fresh);
  if (!lock.ok()) return in_words(lock.status());
  // Whoever had the lock before may have made it.
  if (eventstore::path_exists(path)) {
    if (Status removed = remove_tree(fresh); !removed.ok()) return in_words(removed);
    return conflict("witness " + path + ": was made meanwhile");
  }
  Status made = WatermarkFile::create(fresh, seen.head, seen.closed);
  if (made.ok()) made = rename_durably(fresh, path);
  if (!made.ok()) return in_words(made);
  (*lock)->renamed_to(path);
  return open_locked(path, std::move(*lock));
}

std::vector<std::string> Witness::findings() const {
  if (!file_->at_open().slot_damaged) return {};
  return {slot_damaged(path_)};
}

Status Witness::check(const EventLog& log) const { return check_seen(path_, seen_.head, log); }

Status Witness::remember(const Seen& seen) {
  if (!failure_.ok()) return failure_;
  failure_ = lock_->check_named();
  const Seen next = {seen.head, std::max(seen.closed, seen_.closed)};
  if (!failure_.ok() || (next == seen_ && !slot_damaged_)) return failure_;
  failure_ = file_->store(next.head, next.closed);
  if (!failure_.ok()) return failure_;
  seen_ = next;
  slot_damaged_ = false;  // What is stored goes into the other slot.
  return {};
}

Result<Seen> seen_by_witness(const std::string& path, std::vector<std::string>* notes) {
  const auto loaded = WatermarkFile::load(path);
  if (!loaded.ok()) return in_words(loaded.status());
  if (notes != nullptr && loaded->slot_damaged) notes->push_back(slot_damaged(path));
  return Seen{loaded->head, loaded->closed};
}

}  // namespace daybook::replay
