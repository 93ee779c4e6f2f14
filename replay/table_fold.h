#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "domain/base/result.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/kv.h"
#include "projections/checkpoint.h"
#include "projections/projection.h"

namespace daybook::replay {

/// Folds the log into tables of a scratch store, each up to an entry of its own: what a table must
/// hold if it was flushed there. Does without the projector on purpose, for a second opinion on its
/// checkpoints and batches.
///
/// Thread rule: one thread. Memory: one batch, and what the projections cache.
class TableFold {
 public:
  explicit TableFold(eventstore::KvStore& scratch);

  /// The table ends before this entry; 0: it stays empty, without a checkpoint.
  /// REQUIRES: before the first take().
  void stop_before(eventstore::Table table, std::uint64_t entry_no);

  /// Takes the next entry. Errors: kCorrupt: an event that a projection cannot take, which an audit
  /// would have found; those of the store.
  Status take(const eventstore::DecodedEntry& decoded);

  /// Writes what is open. Call every some ten thousand events and at the end.
  Status finish_batch();

 private:
  struct Follower {
    std::unique_ptr<projections::Projection> projection;
    std::uint64_t stop = 0;
    eventstore::KvBatch batch;
  };

  Status write(Follower& follower);

  eventstore::KvStore& scratch_;
  std::vector<Follower> followers_;
};

}  // namespace daybook::replay
