#include "replay/verify.h"

#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "domain/base/check.h"
#include "domain/base/time.h"
#include "eventstore/decoded_entry.h"
#include "projections/all_projections.h"
#include "projections/checkpoint.h"
#include "projections/tables.h"
#include "replay/ledger_files.h"
#include "replay/log_audit.h"
#include "replay/missing_values.h"
#include "replay/scratch_store.h"
#include "replay/table_compare.h"
#include "replay/table_fold.h"
#include "replay/witness.h"

namespace daybook::replay {
namespace {

using eventstore::DecodedEntry;
using eventstore::RocksKv;
using eventstore::RocksLog;
using projections::Checkpoint;
using projections::kTableCount;

constexpr int kAttemptsMax = 5;
constexpr int kLooksMax = 20;
constexpr std::chrono::milliseconds kLookPause{10};
constexpr std::uint64_t kBatchEvents = 32'768;
constexpr std::size_t kBatchBytes = std::size_t{16} << 20;
constexpr eventstore::Table kAuditStreams = kTableCount;
constexpr eventstore::Table kAuditRefundables = kTableCount + 1;
constexpr eventstore::Table kAuditKeys = kTableCount + 2;
constexpr std::size_t kScratchTables = kTableCount + 3;

Result<std::unique_ptr<ScratchStore>> open_scratch(const VerifyOptions& options,
                                                   std::uint64_t events) {
  if (events <= options.memory_events_max) return ScratchStore::in_memory(kScratchTables);
  auto tables = projections::table_specs();
  tables.push_back({"audit_streams", eventstore::TableSpec::Use::kPointLookups});
  tables.push_back({"audit_refundables", eventstore::TableSpec::Use::kPointLookups});
  tables.push_back({"audit_keys", eventstore::TableSpec::Use::kPointLookups});
  CHECK(tables.size() == kScratchTables);
  return ScratchStore::on_disk(options.scratch_dir, tables);
}

/// A file that a writer has deleted meanwhile is reported as not found: another reading may do.
Status passing(const Status& status) {
  return status.code() == StatusCode::kNotFound ? io_error(status.message()) : status;
}

/// One reading of everything. Any difference ends it; an error is what is no difference.
class Attempt {
 public:
  Attempt(const std::string& dir, const VerifyOptions& options, const Progress& progress)
      : dir_(dir), options_(options), progress_(progress) {}

  Result<VerifyReport> run() {
    Status status = open();
    if (status.ok() && report_.ok()) status = check_files();
    if (status.ok() && report_.ok()) status = read_log();
    if (status.ok() && report_.ok()) status = compare_tables();
    if (!status.ok()) return status;
    return std::move(report_);
  }

 private:
  void differ(std::string check, std::string where, std::string expected, std::string found) {
    CHECK(report_.ok());
    report_.difference =
        Difference{std::move(check), std::move(where), std::move(expected), std::move(found)};
  }

  /// Damage becomes the difference; any other error stays one.
  Status settled(const Status& status, const char* check, const std::string& where,
                 const char* expected) {
    if (status.code() != StatusCode::kCorrupt) return status;
    differ(check, where, expected, status.message());
    return {};
  }

  /// The tables before the log: what they hold was committed when they were flushed.
  Status open() {
    const LedgerFiles files(dir_);
    auto tables = open_projections_for_reading(dir_);
    if (tables.ok()) {
      projections_ = std::move(*tables);
    } else if (tables.status().code() == StatusCode::kCorrupt) {
      damaged_projections_ = tables.status();
    } else if (tables.status().code() != StatusCode::kNotFound) {
      return tables.status();
    }
    // Before the log: beside a server it goes on.
    Seen seen;
    std::vector<std::string> witness_notes;
    if (!options_.witness_file.empty()) {
      const auto witness = seen_by_witness(options_.witness_file, &witness_notes);
      if (!witness.ok()) return witness.status();
      seen = *witness;
    }
    auto log = open_log_for_reading(dir_, RocksLog::Verify::kAll);
    if (!log.ok()) {
      return settled(log.status(), "log", files.log,
                     "every entry that was acknowledged, chained without a gap");
    }
    log_ = std::move(*log);
    report_.head = log_->head();
    report_.ledger_id = log_->ledger_id();
    report_.notes = log_->findings();
    report_.notes.insert(report_.notes.end(), witness_notes.begin(), witness_notes.end());
    if (Status held = check_seen(options_.witness_file, seen.head, *log_); !held.ok()) {
      return settled(held, "witness", options_.witness_file, "a log that holds what was seen");
    }
    if (seen.closed > log_->closed()) {
      report_.notes.push_back("watermark: the log was closed up to " + to_rfc3339(seen.closed) +
                              ", as the witness knows, and the watermark says " +
                              to_rfc3339(log_->closed()) +
                              "; the next start with the witness closes it again");
    }
    if (!damaged_projections_.ok()) {
      return settled(damaged_projections_, "projections", files.projections,
                     "files that can be opened");
    }
    auto values = open_private(dir_, RocksKv::Mode::kReadOnly);
    if (values.ok()) {
      private_ = std::move(*values);
    } else if (values.status().code() != StatusCode::kNotFound) {
      return settled(values.status(), "private", files.private_store, "files that can be opened");
    }
    return check_secrets();
  }

  Status check_secrets() {
    if (report_.head.next_position == 0) return {};
    const auto missing = missing_secrets(dir_);
    const std::string& store = LedgerFiles(dir_).private_store;
    if (!missing.ok()) return settled(missing.status(), "private", store, "secrets to be read");
    if (!missing->empty()) differ("private", store, "the ledger's secrets", "none of " + *missing);
    return {};
  }

  Status check_files() {
    if (!options_.checksums) return {};
    constexpr const char* kExpected = "files with the checksums they were written with";
    const LedgerFiles files(dir_);
    Status status = settled(passing(log_->verify_checksums()), "checksum", files.log, kExpected);
    if (status.ok() && report_.ok() && projections_ != nullptr) {
      status = settled(passing(projections_->verify_checksums()), "checksum", files.projections,
                       kExpected);
    }
    if (status.ok() && report_.ok() && private_ != nullptr) {
      status = settled(check_private_files(), "checksum", files.private_store, kExpected);
    }
    return status;
  }

  /// An erasure beside it rewrites the store's files, so one that is gone is looked for in the
  /// store of now. That may be opened at any time after the log: see check_missing.
  Status check_private_files() {
    for (int look = 1;; ++look) {
      Status status = passing(private_->verify_checksums());
      if (status.code() != StatusCode::kIo || look == kLooksMax) return status;
      std::this_thread::sleep_for(kLookPause);  // bounded
      auto anew = open_private(dir_, RocksKv::Mode::kReadOnly);
      if (anew.ok()) private_ = std::move(*anew);
    }
  }

  /// Finds out up to where each table is to be folded.
  Status plan_tables(TableFold& fold) {
    if (projections_ == nullptr) {
      for (const auto& spec : projections::table_specs()) {
        report_.tables.push_back({spec.name, 0, 0, "it is not there; the next start builds it"});
      }
      return {};
    }
    found_ = projections_->snapshot();
    for (const auto& projection : projections::all_projections(*projections_)) {
      VerifiedTable table{std::string(projection->name()), 0, 0, ""};
      Status status = plan_table(*projection, fold, table);
      if (!status.ok() || !report_.ok()) return status;
      report_.tables.push_back(std::move(table));
    }
    return {};
  }

  Status plan_table(const projections::Projection& projection, TableFold& fold,
                    VerifiedTable& table) {
    auto row = found_->get(projection.table(), projections::kCheckpointKey);
    if (!row.ok()) return settled(row.status(), "projection", table.name, "rows that can be read");
    if (!*row) return plan_unflushed(projection, table);
    const auto checkpoint = projections::decode_checkpoint(**row);
    const std::string check = "projection " + table.name;
    if (!checkpoint) {
      differ(check, "checkpoint", "a checkpoint",
             readable_row(projection.table(), projections::kCheckpointKey, **row));
      return {};
    }
    if (checkpoint->code_version != projection.code_version()) {
      table.skipped = "written by code version " + std::to_string(checkpoint->code_version) +
                      "; the next start rebuilds it";
      return {};
    }
    const eventstore::LogHead& head = report_.head;
    if (checkpoint->entry_no > head.entry_count || checkpoint->next_position > head.next_position) {
      differ(check, "checkpoint",
             "at most position " + std::to_string(head.next_position) + ", entry " +
                 std::to_string(head.entry_count) + ", where the log ends",
             readable_row(projection.table(), projections::kCheckpointKey, **row));
      return {};
    }
    fold.stop_before(projection.table(), checkpoint->entry_no);
    table.position = checkpoint->next_position;
    return {};
  }

  /// Rows are flushed with their checkpoint or not at all, so without one there must be none.
  Status plan_unflushed(const projections::Projection& projection, VerifiedTable& table) {
    const auto rows = found_->scan(projection.table(), "", "");
    if (!rows->valid() && rows->status().ok() && report_.head.next_position > 0) {
      table.skipped = "nothing of it was flushed yet; a server writes it within a minute, or " +
                      std::string("at its end, and a start builds it");
    }
    return settled(rows->status(), "projection", table.name, "rows that can be read");
  }

  Status read_log() {
    auto scratch = open_scratch(options_, report_.head.next_position);
    if (!scratch.ok()) return scratch.status();
    scratch_ = std::move(*scratch);
    missing_.emplace(private_.get());
    TableFold fold(scratch_->kv());
    LogAudit audit(scratch_->kv(), {kAuditStreams, kAuditRefundables, kAuditKeys});
    if (Status status = plan_tables(fold); !status.ok() || !report_.ok()) return status;
    auto cursor = log_->read(0);
    if (!cursor.ok()) return cursor.status();
    std::uint64_t events = 0;
    std::size_t bytes = 0;
    for (;;) {
      auto entry = (*cursor)->next();
      if (!entry.ok()) {
        return settled(entry.status(), "log", "entry " + std::to_string(audit.totals().entries),
                       "the next entry");
      }
      if (!*entry) break;
      events += (*entry)->count;
      bytes += (*entry)->body.size();
      Status status = take(std::move(**entry), audit, fold);
      if (!status.ok() || !report_.ok()) return status;
      if (events < kBatchEvents && bytes < kBatchBytes) continue;
      events = bytes = 0;
      status = audit.finish_batch();
      if (status.ok()) status = fold.finish_batch();
      if (!status.ok()) return status;
      if (progress_) progress_(audit.totals().events, report_.head.next_position);
    }
    if (progress_) progress_(audit.totals().events, report_.head.next_position);
    conclude(audit.totals());
    if (report_.ok()) {
      if (Status status = check_missing(); !status.ok()) return status;
    }
    return fold.finish_batch();
  }

  Status take(eventstore::Entry entry, LogAudit& audit, TableFold& fold) {
    const std::string where = "entry " + std::to_string(entry.entry_no);
    auto decoded = eventstore::decode_events(std::move(entry));
    if (!decoded.ok()) {
      return settled(decoded.status(), "event", where, "events in the stored form");
    }
    auto finding = audit.take(*decoded);
    if (!finding.ok()) return finding.status();
    if (*finding) {
      const Finding& what = (*finding)->finding;
      differ(what.check, (*finding)->where, what.expected, what.found);
      return {};
    }
    for (const auto& event : decoded->events) {
      if (Status status = check_private(event); !status.ok() || !report_.ok()) return status;
    }
    return settled(fold.take(*decoded), "fold", where, "an entry that every projection takes");
  }

  /// A value that is there must fit its commitment; one that is gone must have been erased, which
  /// only the rest of the log can tell.
  Status check_private(const domain::RecordedEvent& event) {
    const auto there = missing_->take(event);
    if (!there.ok()) {
      return settled(there.status(), "private", MissingValues::place_of(event),
                     "a value that fits its commitment");
    }
    if (*there) ++report_.private_values;
    return {};
  }

  /// The private store was opened after the log: what it lacks may have been erased in between.
  Status check_missing() {
    if (missing_->none()) return {};
    const auto grown = open_log_for_reading(dir_);
    Status status = grown.ok() ? settle_beyond(**grown, report_.head, *missing_) : grown.status();
    status = settled(status, "log", "its end", "entries that go on from those that were read");
    if (!status.ok() || !report_.ok() || missing_->none()) return status;
    differ("private", missing_->example(), "a value, for nothing was erased there since", "none");
    return {};
  }

  void conclude(const LogAudit::Totals& totals) {
    report_.entries = totals.entries;
    report_.events = totals.events;
    report_.streams = totals.streams;
    if (totals.entries != report_.head.entry_count || totals.events != report_.head.next_position) {
      differ("log", "its end",
             std::to_string(report_.head.entry_count) + " entries, " +
                 std::to_string(report_.head.next_position) + " events",
             std::to_string(totals.entries) + " entries, " + std::to_string(totals.events) +
                 " events");
      return;
    }
    for (const auto& [currency, sums] : totals.postings) {
      report_.postings.push_back({currency, sums});
      if (!report_.postings.back().is_balanced() && report_.ok()) {
        differ("postings", "the whole log", to_text(sums.debits, 2), to_text(sums.credits, 2));
      }
    }
  }

  Status compare_tables() {
    if (projections_ == nullptr) return {};
    const auto expected = scratch_->kv().snapshot();
    for (eventstore::Table table = 0; table < kTableCount; ++table) {
      VerifiedTable& verified = report_.tables[table];
      if (!verified.skipped.empty()) continue;
      const std::string check = "projection " + verified.name;
      auto difference = compare_table(*expected, *found_, table, verified.rows);
      if (!difference.ok()) {
        return settled(difference.status(), check.c_str(), "its rows", "rows that can be read");
      }
      if (!*difference) continue;
      differ(check, (*difference)->key, (*difference)->expected, (*difference)->found);
      return {};
    }
    return {};
  }

  const std::string& dir_;
  const VerifyOptions& options_;
  const Progress& progress_;
  std::unique_ptr<RocksKv> projections_;
  Status damaged_projections_;
  std::unique_ptr<RocksLog> log_;
  std::unique_ptr<RocksKv> private_;
  std::unique_ptr<ScratchStore> scratch_;
  std::unique_ptr<eventstore::KvReader> found_;
  std::optional<MissingValues> missing_;
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> verify(const std::string& dir, const VerifyOptions& options,
                            const Progress& progress) {
  std::optional<Difference> before;
  const auto is_same_place = [&before](const Difference& found) {
    return before && before->check == found.check && before->where == found.where;
  };
  for (int attempt = 1;; ++attempt) {
    auto report = Attempt(dir, options, progress).run();
    const bool is_last = attempt == kAttemptsMax;
    if (!report.ok()) {
      // A writer may have deleted a file between our reading of its name and our opening it.
      if (is_last || report.status().code() != StatusCode::kIo) return report;
      continue;
    }
    report->attempts = attempt;
    if (report->ok() || is_same_place(*report->difference)) return report;
    if (is_last) {
      return io_error("every reading found another difference, the last one " +
                      to_text(*report->difference) + "; verify it while it is not served");
    }
    before = report->difference;
  }
}

}  // namespace daybook::replay
