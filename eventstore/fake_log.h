#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "eventstore/event_log.h"

namespace daybook::eventstore {

/// The EventLog of tests and of the simulator: encoded entries in memory, and faults on order.
/// What was appended without a fault is durable. Thread rule: as EventLog; scripting by the
/// appending thread.
class FakeLog final : public EventLog {
 public:
  enum class Fault {
    kLoseEntry,   ///< The append answers kUnknown and left nothing.
    kKeepEntry,   ///< The append answers kUnknown and is there after crash().
    kFenceEntry,  ///< The append answers kFenced and left nothing; so does every later one.
  };

  FakeLog() = default;
  /// Besides the script, each append fails with a chance of `per_mille` (0 to 1,000), keeping or
  /// losing the entry as the seed decides.
  FakeLog(std::uint64_t seed, std::uint32_t per_mille) : seed_(seed), per_mille_(per_mille) {}

  /// The append number `nth` from now (0: the next) meets this fault.
  void script(std::uint64_t nth, Fault fault) { script_[appends_ + nth] = fault; }

  /// The process dies and opens the log again: what was kept is committed, and appends are taken.
  void crash();

  LogHead head() const override;
  Instant closed() const override;
  Status close(Instant time) override;
  AppendOutcome append(const Entry& entry) override;
  Result<std::unique_ptr<EntryCursor>> read(std::uint64_t position) const override;

 private:
  class Cursor;

  AppendOutcome fail(const Entry& entry, Fault fault);

  mutable std::mutex mutex_;
  std::vector<std::string> entries_;  ///< May hold one more than head_ counts, until crash().
  std::vector<std::uint64_t> ends_;   ///< end_position of each.
  LogHead head_;
  Instant promised_{};                                ///< By close().
  LogHead kept_;                                      ///< Head after crash().
  AppendOutcome closed_ = AppendOutcome::kCommitted;  ///< What every append answers, once failed.
  std::uint64_t appends_ = 0;
  std::map<std::uint64_t, Fault> script_;
  std::uint64_t seed_ = 0;
  std::uint32_t per_mille_ = 0;
};

}  // namespace daybook::eventstore
