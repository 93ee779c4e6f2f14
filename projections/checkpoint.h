#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/base/result.h"
#include "eventstore/event_log.h"

namespace daybook::projections {

/// Up to where a table holds the fold of the log. Kept in the table itself, under a key that no row
/// has, so that it is written, and lost, together with the rows.
struct Checkpoint {
  std::uint64_t next_position = 0;  ///< Everything before it is in the rows.
  std::uint64_t entry_no = 0;       ///< The next entry.
  eventstore::Hash chain{};         ///< chain_of the last one; all zero before the first.
  std::uint32_t code_version = 0;   ///< Of the projection that made the rows.

  bool operator==(const Checkpoint&) const = default;
};

inline constexpr std::string_view kCheckpointKey{"\0ckpt", 5};

std::string encode_checkpoint(const Checkpoint& checkpoint);
/// Empty for bytes that encode_checkpoint did not write.
std::optional<Checkpoint> decode_checkpoint(std::string_view bytes);

/// Whether the log has exactly this before the checkpoint: not so after a restore, a repair or a
/// swapped directory. Reads at most a few entries. Errors: those of reading the log.
Result<bool> agrees_with(const Checkpoint& checkpoint, const eventstore::EventLog& log);

}  // namespace daybook::projections
