#include "replay/backup.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/stat.h>

#include "eventstore/decoded_entry.h"
#include "eventstore/files.h"
#include "eventstore/json_text.h"
#include "eventstore/path_lock.h"
#include "eventstore/private_store.h"
#include "eventstore/rocks_log_copy.h"
#include "replay/file_list.h"
#include "replay/ledger_files.h"
#include "replay/missing_values.h"

namespace daybook::replay {
namespace {

using eventstore::errno_status;
using eventstore::path_exists;
using eventstore::PrivateStore;
using eventstore::RocksKv;
using eventstore::RocksLog;

constexpr int kPrivateCopiesMax = 5;
constexpr std::size_t kPrivateBatchRows = 1'000;
constexpr const char* kManifest = "backup.json";
/// There from the first file to the last, and gone when the backup is finished.
constexpr const char* kUnfinished = "backup.unfinished";
constexpr const char* kList = "files.sha256";
constexpr const char* kFormat = "1";
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

struct PrivateCounts {
  std::uint64_t secrets = 0;
  std::uint64_t values = 0;
};

Result<std::uint64_t> copy_table(const eventstore::KvReader& from, eventstore::KvStore& to,
                                 eventstore::Table table) {
  std::uint64_t rows = 0;
  eventstore::KvBatch batch;
  const auto cursor = from.scan(table, "", "");
  for (; cursor->valid(); cursor->next()) {
    batch.put(table, std::string(cursor->key()), std::string(cursor->value()));
    ++rows;
    if (rows % kPrivateBatchRows != 0) continue;
    if (Status status = to.write(batch); !status.ok()) return status;
    batch.clear();
  }
  if (Status status = cursor->status(); !status.ok()) return status;
  if (!batch.empty()) {
    if (Status status = to.write(batch); !status.ok()) return status;
  }
  return rows;
}

/// What the private store of `dir` holds now; nothing, if there is none.
Result<PrivateCounts> copy_private(const std::string& dir, const std::string& out) {
  auto from = open_private(dir, RocksKv::Mode::kReadOnly);
  if (!from.ok()) {
    if (from.status().code() != StatusCode::kNotFound) return from.status();
    if (!path_exists(LedgerFiles(dir).private_store)) return PrivateCounts{};
    return io_error(from.status().message());  // A file of it is gone, which may pass.
  }
  // Each try begins from nothing: what was erased meanwhile must not stay in the copy.
  if (Status status = remove_tree(LedgerFiles(out).private_store); !status.ok()) return status;
  auto to = open_private(out, RocksKv::Mode::kReadWrite);
  if (!to.ok()) return to.status();
  const auto reader = (*from)->snapshot();
  auto secrets = copy_table(*reader, **to, PrivateStore::kSecrets);
  if (!secrets.ok()) return secrets.status();
  auto values = copy_table(*reader, **to, PrivateStore::kValues);
  if (!values.ok()) return values.status();
  return PrivateCounts{*secrets, *values};
}

/// Values that are in no store and were not erased.
struct Lost {
  std::uint64_t count = 0;
  std::string example;
};

Status take_log(const std::string& out, MissingValues& missing) {
  auto log = open_log_for_reading(out);
  if (!log.ok()) return log.status();
  auto cursor = (*log)->read(0);
  if (!cursor.ok()) return cursor.status();
  for (;;) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) return {};
    auto decoded = eventstore::decode_events(std::move(**entry));
    if (!decoded.ok()) return decoded.status();
    for (const auto& event : decoded->events) {
      if (const auto there = missing.take(event); !there.ok()) return there.status();
    }
  }
}

/// The values that the log of `out` names and its private store lacks. Reads on in the log of
/// `dir`, which may have grown, as far as that tells of erasures, and adds it to the copy, which
/// then ends at `head`. Nothing: none is missing.
Result<std::optional<Lost>> settle_values(const std::string& dir, const std::string& out,
                                          eventstore::LogHead& head) {
  auto kv = open_private(out, RocksKv::Mode::kReadOnly);
  if (!kv.ok() && kv.status().code() != StatusCode::kNotFound) return kv.status();
  MissingValues missing(kv.ok() ? kv->get() : nullptr);
  if (Status status = take_log(out, missing); !status.ok()) return status;
  if (missing.none()) return std::optional<Lost>();
  const auto grown = open_log_for_reading(dir);
  if (!grown.ok()) return grown.status();
  if ((*grown)->head().entry_count > head.entry_count) {
    const auto copy = RocksLog::open(out, {});
    if (!copy.ok()) return copy.status();
    Status status = settle_beyond(**grown, head, missing, [&](const eventstore::Entry& entry) {
      const bool added = (*copy)->append(entry) == eventstore::AppendOutcome::kCommitted;
      return added ? Status() : (*copy)->failure();
    });
    if (!status.ok()) return status;
    head = (*copy)->head();
  }
  if (missing.none()) return std::optional<Lost>();
  return std::optional<Lost>({missing.count(), missing.example()});
}

/// Copies a small file if it is there and may be read.
Status copy_if_readable(const std::string& from, const std::string& to) {
  const auto bytes = read_small_file(from);
  if (!bytes.ok()) return {};
  return write_file_durably(to, *bytes, 0600);
}

/// RocksDB's own logs say nothing about the ledger, and paths of this machine.
Status remove_info_logs(const std::string& store) {
  std::error_code error;
  std::vector<std::filesystem::path> logs;
  for (const auto& item : std::filesystem::directory_iterator(store, error)) {
    if (item.path().filename().string().rfind("LOG", 0) == 0) logs.push_back(item.path());
  }
  for (const auto& path : logs) {
    if (!error) std::filesystem::remove(path, error);
  }
  return error ? errno_status("remove logs of", store, error.value()) : Status();
}

/// A ledger with events and without its secrets opens to nobody and knows no retry again.
Status check_secrets(const std::string& dir, const eventstore::LogHead& head) {
  if (head.next_position == 0) return {};
  const auto missing = missing_secrets(dir);
  if (!missing.ok()) return missing.status();
  if (missing->empty()) return {};
  return corrupt(LedgerFiles(dir).private_store + ": the ledger's secrets are gone: " + *missing);
}

Status lost_values(const std::string& dir, const Lost& lost) {
  const std::string what =
      lost.count == 1 ? "1 value that the log names is gone, and nothing erased it: "
                      : std::to_string(lost.count) +
                            " values that the log names are gone, and nothing erased them: ";
  return corrupt(LedgerFiles(dir).private_store + ": " + what + lost.example +
                 "; such a backup could not be restored. Put the private store back, or erase " +
                 "the private data of the account, and make the backup again");
}

/// The private store after the log, so that whatever the log names was there; and then as much more
/// of the log as tells of what was erased in between.
Status copy_values(const std::string& dir, const std::string& out, const BackupStages& stages,
                   BackupReport& report) {
  if (Status status = check_secrets(dir, report.head); !status.ok()) return status;
  std::optional<Lost> lost;
  for (int attempt = 1; attempt <= kPrivateCopiesMax; ++attempt) {
    auto counts = copy_private(dir, out);
    if (!counts.ok()) {
      // An erasure beside it rewrites the store's files, maybe before they were opened.
      // What is really damaged stays so.
      const bool may_pass = counts.status().code() == StatusCode::kIo ||
                            counts.status().code() == StatusCode::kCorrupt;
      if (may_pass && attempt < kPrivateCopiesMax) continue;
      return counts.status();
    }
    if (stages) stages(BackupStage::kPrivateCopied);
    auto settled = settle_values(dir, out, report.head);
    if (!settled.ok()) return settled.status();
    lost = std::move(*settled);
    report.secrets = counts->secrets;
    report.private_values = counts->values;
    const auto secrets = missing_secrets(out);
    if (!secrets.ok()) return secrets.status();
    // A read-only view of a living store may miss rows in passing; what was lost stays away.
    if (!lost && secrets->empty()) break;
  }
  if (lost) return lost_values(dir, *lost);
  return check_secrets(out, report.head);
}

eventstore::JsonObject json_of(const BackupReport& report) {
  return eventstore::JsonObject()
      .string("format", kFormat)
      .string("created_at", to_rfc3339(report.created_at))
      .string("ledger", report.ledger_id)
      .number("generation", report.head.generation)
      .number("entries", report.head.entry_count)
      .number("events", report.head.next_position)
      .string("chain", eventstore::to_hex(report.head.chain))
      .number("secrets", report.secrets)
      .number("private_values", report.private_values);
}

Status fill(const std::string& dir, const std::string& out, const BackupStages& stages,
            BackupReport& report) {
  {
    auto log = open_log_for_reading(dir);
    if (!log.ok()) return log.status();
    report.ledger_id = (*log)->ledger_id();
    report.notes = (*log)->findings();
    auto head = eventstore::copy_log(**log, report.ledger_id, out);
    if (!head.ok()) return head.status();
    report.head = *head;
  }
  if (stages) stages(BackupStage::kLogCopied);
  if (Status status = copy_values(dir, out, stages, report); !status.ok()) return status;
  const LedgerFiles from(dir);
  const LedgerFiles to(out);
  for (const std::string& store : {to.log, to.private_store}) {
    if (!path_exists(store)) continue;
    if (Status status = remove_info_logs(store); !status.ok()) return status;
  }
  if (Status status = copy_if_readable(from.admin_key, to.admin_key); !status.ok()) return status;
  auto files = digest_files(out);
  if (!files.ok()) return files.status();
  files->erase(kUnfinished);
  const std::string list = to_text(*files);
  Status status = write_file_durably(out + "/" + kList, list, 0600);
  if (!status.ok()) return status;
  const std::string digest = eventstore::to_hex(eventstore::sha256({list}));
  status = write_file_durably(out + "/" + kManifest,
                              json_of(report).string("files_sha256", digest).text() + "\n", 0600);
  if (!status.ok()) return status;
  if (status = remove_tree(out + "/" + kUnfinished); !status.ok()) return status;
  return eventstore::sync_directory(out);
}

/// The text of a member in what json_of wrote, which has no escapes where this is used.
std::optional<std::string> member(const std::string& json, const std::string& name) {
  const std::string opening = "\"" + name + "\":\"";
  const std::size_t at = json.find(opening);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t from = at + opening.size();
  const std::size_t to = json.find('"', from);
  if (to == std::string::npos) return std::nullopt;
  return json.substr(from, to - from);
}

/// Every file of the backup is there as it was written, and no other.
Result<std::string> check_files(const std::string& out) {
  if (path_exists(out + "/" + kUnfinished)) {
    return not_found(out + ": not a finished backup: it has " + kUnfinished);
  }
  auto manifest = read_small_file(out + "/" + kManifest);
  if (!manifest.ok()) {
    if (manifest.status().code() != StatusCode::kNotFound) return manifest.status();
    return not_found(out + ": not a finished backup: it has no " + kManifest);
  }
  if (member(*manifest, "format") != kFormat) {
    return corrupt(out + "/" + kManifest + ": expected format " + kFormat + ", found " +
                   member(*manifest, "format").value_or("none"));
  }
  const auto list = read_small_file(out + "/" + kList);
  if (!list.ok()) return corrupt(list.status().message());
  const std::string digest = eventstore::to_hex(eventstore::sha256({*list}));
  if (member(*manifest, "files_sha256") != digest) {
    return corrupt(out + "/" + kList + ": expected SHA-256 " +
                   member(*manifest, "files_sha256").value_or("none") + ", found " + digest);
  }
  auto found = digest_files(out);
  if (!found.ok()) return found.status();
  found->erase(kManifest);
  found->erase(kList);
  if (Status status = compare_files(*list, *found); !status.ok()) {
    return corrupt(out + "/" + status.message());
  }
  return std::move(*manifest);
}

Status check_backup(const std::string& out, const Progress& progress) {
  const auto manifest = check_files(out);
  if (!manifest.ok()) return manifest.status();
  const auto report = verify(out, {}, progress);
  if (!report.ok()) return report.status();
  if (!report->ok()) return corrupt(out + ": " + to_text(*report->difference));
  const std::string chain = eventstore::to_hex(report->head.chain);
  if (member(*manifest, "chain") != chain) {
    return corrupt(out + "/" + kManifest + ": expected chain " +
                   member(*manifest, "chain").value_or("none") + ", found " + chain);
  }
  return {};
}

Status check_target(const std::string& dir) {
  if (!path_exists(dir)) return {};
  std::error_code error;
  const bool is_empty =
      std::filesystem::is_directory(dir, error) && std::filesystem::is_empty(dir, error);
  if (error) return errno_status("look into", dir, error.value());
  return is_empty ? Status() : conflict(dir + ": is not an empty directory");
}

/// Above all that the copied log has seen, and another one for each restore of the same backup: its
/// second of Unix time, which 32 bits hold until 2106.
std::uint32_t next_generation(std::uint32_t before, Instant now) {
  const std::int64_t second = std::clamp<std::int64_t>(now.micros / kMicrosPerSecond, 0,
                                                       std::numeric_limits<std::uint32_t>::max());
  return std::max(before + 1, static_cast<std::uint32_t>(second));
}

/// Lets the second of the generation pass, so that the next restore gets
/// another one: less than a second.
void let_pass(std::uint32_t generation, const Clock& clock) {
  const std::int64_t now = clock.now().micros;
  if (now / kMicrosPerSecond != std::int64_t{generation}) return;
  const std::chrono::microseconds rest(kMicrosPerSecond - now % kMicrosPerSecond);
  std::this_thread::sleep_for(rest);  // bounded
}

/// An empty directory that no other restore works in; it may be what one that was killed left.
Result<std::unique_ptr<eventstore::PathLock>> take_staging(const std::string& staging) {
  if (::mkdir(staging.c_str(), 0700) != 0 && errno != EEXIST) {
    return errno_status("create directory", staging, errno);
  }
  auto lock = eventstore::PathLock::take_directory(staging);
  if (!lock.ok()) return lock.status();
  std::error_code error;
  std::vector<std::filesystem::path> left;
  for (const auto& item : std::filesystem::directory_iterator(staging, error)) {
    left.push_back(item.path());
  }
  if (error) return errno_status("look into", staging, error.value());
  for (const auto& path : left) {
    if (Status status = remove_tree(path.string()); !status.ok()) return status;
  }
  return lock;
}

Result<eventstore::LogHead> raise_generation(const std::string& dir, const Clock& clock) {
  RocksLog::Options options;
  options.locked_by_caller = true;
  auto log = RocksLog::open(dir, options);
  if (!log.ok()) return log.status();
  const eventstore::LogHead head = (*log)->head();
  if (head.generation == std::numeric_limits<std::uint32_t>::max()) {
    return corrupt(dir + ": the log's generation cannot be raised any more");
  }
  eventstore::Entry entry;
  entry.kind = eventstore::EntryKind::kGeneration;
  entry.generation = next_generation(head.generation, clock.now());
  entry.entry_no = head.entry_count;
  entry.base_position = head.next_position;
  entry.first_recorded_at = std::max(clock.now(), head.last_recorded_at);
  entry.last_recorded_at = entry.first_recorded_at;
  entry.prev_chain = head.chain;
  if ((*log)->append(entry) != eventstore::AppendOutcome::kCommitted) return (*log)->failure();
  return (*log)->head();
}

Result<RestoreReport> fill_restored(const std::string& out, const std::string& dir,
                                    const Clock& clock) {
  RestoreReport report;
  {
    auto log = open_log_for_reading(out);
    if (!log.ok()) return log.status();
    report.ledger_id = (*log)->ledger_id();
    auto head = eventstore::copy_log(**log, report.ledger_id, dir);
    if (!head.ok()) return head.status();
  }
  auto counts = copy_private(out, dir);
  if (!counts.ok()) return counts.status();
  const LedgerFiles from(out);
  const LedgerFiles to(dir);
  if (Status status = copy_if_readable(from.admin_key, to.admin_key); !status.ok()) return status;
  auto head = raise_generation(dir, clock);
  if (!head.ok()) return head.status();
  report.head = *head;
  if (Status status = check_secrets(dir, report.head); !status.ok()) return status;
  if (Status status = eventstore::sync_directory(dir); !status.ok()) return status;
  let_pass(report.head.generation, clock);
  return report;
}

}  // namespace

Status check_no_backup(const std::string& dir) {
  if (path_exists(dir + "/" + kUnfinished)) {
    return conflict(dir + " is a backup that was not finished (it has " + kUnfinished +
                    "): remove it and make it again");
  }
  if (!path_exists(dir + "/" + kManifest)) return {};
  return conflict(dir + " is a backup (it has " + kManifest +
                  "): restore it into a directory of its own");
}

Status check_outside_backups(const std::string& path) {
  std::error_code error;
  auto at = std::filesystem::absolute(path, error);
  if (!error) at = std::filesystem::weakly_canonical(at, error);
  if (error) return {};  // Whoever opens it is told why.
  for (;; at = at.parent_path()) {
    // Others, too, may name a file backup.json.
    const std::string dir = at.string() + "/";
    const bool is_backup = path_exists(dir + kUnfinished) ||
                           (path_exists(dir + kManifest) && path_exists(dir + kList));
    if (is_backup) return conflict(path + ": lies in the backup " + at.string());
    if (at == at.parent_path()) return {};
  }
}

Result<BackupReport> backup(const std::string& dir, const std::string& target, const Clock& clock,
                            const BackupStages& stages) {
  const std::string out = without_slashes(target);
  const std::string log = LedgerFiles(dir).log;
  if (Status seen = eventstore::check_reachable(log); !seen.ok()) return seen;
  if (!path_exists(log)) {
    const auto opened = open_log_for_reading(dir);
    return opened.ok() ? conflict(log + ": appeared meanwhile") : opened.status();
  }
  if (eventstore::lies_in(out, dir))
    return conflict(out + ": lies in the ledger that is to be saved");
  if (!path_exists(out)) {  // Else it is refused for that.
    if (Status status = check_outside_backups(out); !status.ok()) return status;
  }
  if (::mkdir(out.c_str(), 0700) != 0) {
    if (errno == EEXIST) return conflict(out + ": exists; a backup never writes over anything");
    return errno_status("create directory", out, errno);
  }
  BackupReport report;
  report.created_at = clock.now();
  Status filled = write_file_durably(out + "/" + kUnfinished, "", 0600);
  if (filled.ok()) filled = fill(without_slashes(dir), out, stages, report);
  if (!filled.ok()) {
    // The log first, under the mark: nobody takes what is left for a backup or a ledger.
    static_cast<void>(remove_tree(LedgerFiles(out).log));
    static_cast<void>(remove_tree(out));
    return filled;
  }
  if (Status named = eventstore::sync_directory(eventstore::parent_of(out)); !named.ok()) {
    return named;
  }
  return report;
}

Result<RestoreReport> restore(const std::string& source, const std::string& target,
                              const Clock& clock, const Progress& progress) {
  const std::string out = without_slashes(source);
  const std::string dir = without_slashes(target);
  if (eventstore::lies_in(dir, out)) return conflict(dir + ": lies in the backup");
  if (Status status = check_outside_backups(dir); !status.ok()) return status;
  if (Status status = check_target(dir); !status.ok()) return status;
  if (Status status = check_backup(out, progress); !status.ok()) return status;
  const std::string staging = dir + ".restoring";
  const auto lock = take_staging(staging);
  if (!lock.ok()) return lock.status();
  auto report = fill_restored(out, staging, clock);
  // A rename takes the place of an empty directory, and of nothing else.
  const Status done = report.ok() ? rename_durably(staging, dir) : report.status();
  if (done.ok()) return report;
  static_cast<void>(remove_tree(staging));  // The next restore would, too.
  return done;
}

std::string to_json(const BackupReport& report) { return json_of(report).text(); }

std::string to_json(const RestoreReport& report) {
  return eventstore::JsonObject()
      .string("ledger", report.ledger_id)
      .number("generation", report.head.generation)
      .number("entries", report.head.entry_count)
      .number("events", report.head.next_position)
      .string("chain", eventstore::to_hex(report.head.chain))
      .text();
}

}  // namespace daybook::replay
