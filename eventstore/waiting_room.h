#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "eventstore/lookups.h"

namespace daybook::eventstore {

/// Where commands wait that the sequencer sent back because their look-ups were too old, each with
/// all later commands of its stream behind it: the order of a stream's commands never changes.
///
/// Every stream with a command in here has one line. A line waits for the index position that its
/// first command needs, then goes away to be looked up again, comes back and is ready: its commands
/// are offered one after another, until it is empty or one of them is sent back once more. Streams
/// do not wait for each other.
///
/// Only the policy: no thread, no look-up, no bound; its owner has those. Thread rule: one thread.
class WaitingRoom {
 public:
  /// A line on its way to be looked up again: all of its commands, the first one first.
  struct Party {
    std::string stream;  ///< stream_key.
    std::vector<PreparedCommand> commands;
    bool failed = false;  ///< It could not be looked up.
  };

  bool empty() const { return lines_.empty(); }
  /// Whether a command of this stream has to stand in line behind an older one.
  bool has(const std::string& stream) const { return lines_.contains(stream); }

  /// A newer command of a stream that has a line. REQUIRES: has(stream).
  void join(const std::string& stream, PreparedCommand prepared);

  /// A command that was sent back, at the head of its stream's line; it waits until the index has
  /// everything before `prepared.look_again_at`. REQUIRES: it is older than all of its line, which
  /// is ready or not there: the command came out of next(), or has(stream) was false.
  void park(const std::string& stream, PreparedCommand prepared);

  /// The lines whose position is reached. Their streams stay blocked until readmit().
  std::vector<Party> release(std::uint64_t indexed);
  /// A line has been looked up again. Commands that were answered meanwhile are left out.
  void readmit(Party party);

  bool has_ready() const { return !ready_.empty(); }
  /// The next command whose turn it is; none if no line is ready.
  std::optional<PreparedCommand> next();

  /// Whether a line waits for an index position that release() was not given yet.
  bool waits_for_index() const { return !parked_.empty(); }
  /// Lets all of those lines go.
  std::vector<PreparedCommand> clear_waiting_for_index();
  /// Lets everybody go who is not away; the streams of those who are stay blocked.
  std::vector<PreparedCommand> clear();

 private:
  enum class Stage { kParked, kAway, kReady };
  struct Line {
    Stage stage = Stage::kParked;
    std::deque<PreparedCommand> commands;  ///< Those that are away excepted.
  };

  std::unordered_map<std::string, Line> lines_;
  std::set<std::pair<std::uint64_t, std::string>> parked_;  ///< By position.
  std::deque<std::string> ready_;
};

}  // namespace daybook::eventstore
