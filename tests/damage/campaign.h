#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/damage/judge.h"

namespace daybook::damage {

/// Every single fault in the files of a small ledger, each judged (judge.h) in a process that may
/// end by it: children judge, the parent has no threads and finds who crashed or hangs.
struct CampaignOptions {
  std::string directory;  ///< In memory, if possible. Made and removed, unless it is kept.
  /// A ledger that is there is used, and kept: where --only is to find the same bits.
  bool keep = false;
  std::string only;          ///< Name of a mutation; all others are left out.
  std::string match;         ///< Only those whose name begins with it.
  std::uint64_t stride = 1;  ///< Of the bits and lengths one in so many is tried.
  std::uint64_t jobs = 1;
  std::int64_t hang_seconds = 60;
  Weakness weakness = Weakness::kNone;
  bool progress = false;  ///< On standard output, about once a minute.
};

using Counts = std::array<std::uint64_t, static_cast<std::size_t>(Verdict::kCount)>;

struct CampaignResult {
  std::map<std::string, Counts> by_class;  ///< `log sst bit`, ...
  Counts totals{};
  std::uint64_t faults = 0;           ///< That there are.
  std::uint64_t unread = 0;           ///< Of them, those in files that nothing reads, not tried.
  std::vector<std::string> findings;  ///< What is neither harmless nor refused: verdict, name, why.
  double seconds = 0;

  std::uint64_t tried() const;
  std::uint64_t of(Verdict verdict) const { return totals[static_cast<std::size_t>(verdict)]; }
};

/// REQUIRES: the process has one thread.
CampaignResult run_campaign(const CampaignOptions& options);

}  // namespace daybook::damage
