#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/power_cut/power_cut_disk.h"

namespace daybook::power_cut {

/// Power cuts under a real RocksLog and the projector over a real RocksKv, both on a PowerCutDisk:
/// random events are appended in groups, the power goes at a random operation of any of their
/// threads (opening and repairing included), and both are opened again. An independent list of what
/// was appended and acknowledged is the judge; all read models are compared, byte for byte, with
/// the fold of it in memory.
struct CampaignOptions {
  std::uint64_t seed = 1;
  std::uint64_t cuts = 100;
  std::uint64_t first_history = 0;  ///< A ledger's life; each has a seed of its own.
  std::uint64_t cuts_per_history = 10;
  std::string directory;  ///< Scratch; what failed stays in it.
  PowerCutDisk::Syncs syncs;
};

struct CampaignResult {
  std::uint64_t cuts = 0;
  std::uint64_t histories = 0;
  std::uint64_t acknowledged_entries = 0;
  std::uint64_t acknowledged_events = 0;
  std::uint64_t unknown_kept = 0;  ///< Entries without an answer that were there after a cut.
  std::uint64_t unknown_gone = 0;
  std::uint64_t folds_compared = 0;
  std::uint64_t lost_bytes = 0;
  std::uint64_t lost_names = 0;
  std::map<std::string, std::uint64_t> cut_at;

  // What must be zero.
  std::uint64_t lost = 0;     ///< Acknowledged entries that are gone or changed.
  std::uint64_t phantom = 0;  ///< Entries that were never appended.
  std::uint64_t broken = 0;   ///< Half entries, chain, order: a log that cannot be read to its end.
  std::uint64_t refused = 0;  ///< A ledger that could not be opened after a cut.
  std::uint64_t differing = 0;              ///< Read models that are not the fold.
  std::vector<std::string> first_failures;  ///< The first few, with what replays them.

  std::uint64_t failures() const { return lost + phantom + broken + refused + differing; }
};

/// A history ends with its first failure. The same seed gives the same work and the same choices;
/// which thread comes first is the scheduler's.
CampaignResult run_campaign(const CampaignOptions& options);

}  // namespace daybook::power_cut
