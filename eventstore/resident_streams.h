#pragma once

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <string_view>

#include <boost/unordered/unordered_flat_set.hpp>

#include "eventstore/command.h"
#include "eventstore/lookups.h"

namespace daybook::eventstore {

/// Which streams' states the sequencer has in memory, for those who would otherwise read them from
/// the log index. Two streams may share a hash, and a state may be let go at any moment: an answer
/// is a hint, and a command that comes without a state that is wanted is looked up again.
///
/// Thread rule: any thread.
class ResidentStreams {
 public:
  void add(std::string_view stream_key);
  void remove(std::string_view stream_key);

  /// What is not there of all that the command is decided against.
  WantedStates lacking(const Command& command) const;

 private:
  mutable std::shared_mutex mutex_;
  boost::unordered_flat_set<std::uint64_t> hashes_;
};

}  // namespace daybook::eventstore
