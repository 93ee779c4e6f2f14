#include "replay/table_fold.h"

#include "domain/base/check.h"
#include "projections/all_projections.h"
#include "replay/ledger_files.h"

namespace daybook::replay {

TableFold::TableFold(eventstore::KvStore& scratch) : scratch_(scratch) {
  for (auto& projection : projections::all_projections(scratch)) {
    followers_.push_back({std::move(projection), 0, {}});
  }
}

void TableFold::stop_before(eventstore::Table table, std::uint64_t entry_no) {
  CHECK(table < followers_.size());
  followers_[table].stop = entry_no;
}

Status TableFold::take(const eventstore::DecodedEntry& decoded) {
  const eventstore::Entry& entry = decoded.entry;
  for (Follower& follower : followers_) {
    if (entry.entry_no >= follower.stop) continue;
    if (Status status = follower.projection->apply(decoded, follower.batch); !status.ok()) {
      return status;
    }
    if (entry.entry_no + 1 < follower.stop) continue;
    const projections::Checkpoint end{entry.end_position(), follower.stop,
                                      eventstore::chain_of(entry),
                                      follower.projection->code_version()};
    follower.batch.put(follower.projection->table(), std::string(projections::kCheckpointKey),
                       encode_checkpoint(end));
    if (Status status = write(follower); !status.ok()) return status;
  }
  return {};
}

Status TableFold::finish_batch() {
  for (Follower& follower : followers_) {
    if (Status status = write(follower); !status.ok()) return status;
  }
  return {};
}

Status TableFold::write(Follower& follower) {
  if (Status status = follower.projection->finish(follower.batch); !status.ok()) return status;
  if (follower.batch.empty()) return {};
  Status status = scratch_.write(follower.batch);
  follower.batch.clear();
  return status;
}

}  // namespace daybook::replay
