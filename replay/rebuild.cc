#include "replay/rebuild.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "eventstore/files.h"
#include "projections/all_projections.h"
#include "projections/projector.h"
#include "projections/tables.h"
#include "replay/backup.h"
#include "replay/ledger_files.h"

namespace daybook::replay {
namespace {

using eventstore::RocksKv;
using eventstore::RocksLog;

constexpr std::size_t kBatchBytes = std::size_t{64} << 20;
constexpr unsigned kThreadsMax = 4;

Status build(const RocksLog& log, const std::string& path, const Clock& clock,
             const Progress& progress) {
  // Nothing else is at work here.
  const std::size_t threads = std::clamp(std::thread::hardware_concurrency(), 1U, kThreadsMax);
  RocksKv::Options options;
  options.ingest_threads = threads;
  auto store = RocksKv::open(path, projections::table_specs(), options);
  if (!store.ok()) return store.status();
  projections::ProjectorLimits limits;
  limits.threads = threads;
  limits.batch_bytes = kBatchBytes;
  limits.flush_events = UINT64_MAX;  // What is not finished is thrown away.
  projections::Projector projector(log, **store, clock, projections::all_projections(**store),
                                   limits);
  const std::uint64_t total = log.head().next_position;
  if (progress) projector.on_applied([&](std::uint64_t position) { progress(position, total); });
  if (Status status = projector.run_once(); !status.ok()) return status;
  if (Status status = (*store)->flush(); !status.ok()) return status;
  for (const auto& table : projector.status().projections) {
    if (table.position != total) {
      return corrupt("projection " + table.name + ": expected position " + std::to_string(total) +
                     ", found " + std::to_string(table.position));
    }
  }
  return (*store)->verify_checksums();
}

Status swap(const LedgerFiles& files) {
  if (eventstore::path_exists(files.projections)) {
    Status moved = rename_durably(files.projections, files.old_projections);
    if (!moved.ok()) return moved;
  }
  if (Status status = rename_durably(files.fresh_projections, files.projections); !status.ok()) {
    return status;
  }
  return remove_tree(files.old_projections);
}

}  // namespace

std::uint64_t RebuildReport::events_per_second() const {
  const auto elapsed = static_cast<std::uint64_t>(std::max<std::int64_t>(micros, 1));
  return static_cast<std::uint64_t>(uint128{events} * 1'000'000 / elapsed);
}

Result<RebuildReport> rebuild(const std::string& dir, const Clock& clock, const Progress& progress,
                              const std::function<void(const std::string&)>& repaired) {
  const Instant begun = clock.now();
  if (Status status = check_no_backup(dir); !status.ok()) return status;
  auto log = RocksLog::open(dir, {});
  if (log.status().code() == StatusCode::kNotFound) return without_log(dir, log.status());
  if (!log.ok()) return log.status();
  for (const std::string& found : (*log)->findings()) {
    if (repaired) repaired(found);
  }
  const LedgerFiles files(dir);
  // What may not be changed could not be removed once the new tables stand in its place.
  if (Status may = eventstore::check_changeable(files.projections); !may.ok()) return may;
  if (Status status = settle_rebuild(dir); !status.ok()) return status;
  if (Status status = build(**log, files.fresh_projections, clock, progress); !status.ok()) {
    static_cast<void>(remove_tree(files.fresh_projections));  // The next open would, too.
    return status;
  }
  if (Status status = swap(files); !status.ok()) return status;
  return RebuildReport{(*log)->head().next_position, clock.now().micros - begun.micros};
}

}  // namespace daybook::replay
