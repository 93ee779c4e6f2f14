#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "eventstore/event_log.h"
#include "eventstore/log_rows.h"

namespace daybook::eventstore {

/// What the rows of a log prove.
struct VerifiedLog {
  LogHead head;                       ///< Where the proven log ends.
  std::uint64_t verified_from = 0;    ///< Position of the first entry that was read.
  std::uint64_t entries = 0;          ///< How many were read.
  std::optional<std::string> orphan;  ///< Key of the first row that does not continue the log.
};

struct VerifyOptions {
  std::uint32_t partition = 0;
  bool from_last_anchor = true;    ///< Else from the first entry.
  bool stop_at_watermark = false;  ///< What is beyond is not looked at.
};

/// Reads the log and checks contiguity, chain, order of recorded_at, and that it reaches the
/// watermark with the head that was acknowledged. Errors: kCorrupt naming the positions that are
/// gone or differ; kIo.
Result<VerifiedLog> verify_log(const LogRows& stored, const LogHead& watermark,
                               const VerifyOptions& options);

/// Moves all entries from key `first` on to the quarantine, and drops the anchors beyond `head`.
/// Gives how many. A crash on the way leaves the rest for the next open.
Result<std::uint64_t> quarantine_from(LogRows& stored, std::uint32_t partition,
                                      const std::string& first, const LogHead& head);

}  // namespace daybook::eventstore
