#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "domain/base/clock.h"
#include "domain/base/result.h"
#include "replay/verify.h"

namespace daybook::replay {

struct RebuildReport {
  std::uint64_t events = 0;
  std::int64_t micros = 0;  ///< All of it, opening and swapping included.

  std::uint64_t events_per_second() const;
};

/// Builds every table of `proj/` anew from the log, beside the old ones, and swaps.
///
/// Refuses (kConflict) a backup, and a directory that is being served: it takes the log's lock.
///
/// Crash: `proj.new` is filled and flushed; then `proj` becomes `proj.old`, `proj.new` becomes
/// `proj`, each durably, and `proj.old` is deleted. While `proj` is there, it is whole, old or new,
/// and the others are litter. Without it, `proj.old` says that `proj.new` is complete.
/// settle_rebuild(), which open_projections() calls, does accordingly; a read-only opener in that
/// instant finds no tables. Errors: kNotFound; kConflict; kCorrupt: the log cannot be read; kIo,
/// also a full disk: the old tables stay. Memory: two batches and the store's memtables. Thread
/// rule: any thread.
/// `repaired` is told at once, in words, what opening the log found and mended.
Result<RebuildReport> rebuild(const std::string& dir, const Clock& clock,
                              const Progress& progress = {},
                              const std::function<void(const std::string&)>& repaired = {});

}  // namespace daybook::replay
