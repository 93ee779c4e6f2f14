#pragma once

#include <string>

#include "domain/base/result.h"
#include "eventstore/event_log.h"

namespace daybook::eventstore {

/// Writes a copy of `from`, up to its head of now, as a RocksLog in `dir`: every entry read,
/// checked against the one before it and written anew, in large batches. `dir` must exist, hold no
/// log, and be the caller's alone: locked (path_lock.h) or made by it.
///
/// The chain is the same, entry by entry. Errors: kCorrupt: what was read is not one chain from the
/// first entry to the head; kConflict: there is a log; kIo. Crash: what lies in `dir` must not be
/// opened; the caller's own mark of completion says so.
Result<LogHead> copy_log(const EventLog& from, const std::string& ledger_id,
                         const std::string& dir);

}  // namespace daybook::eventstore
