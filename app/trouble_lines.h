#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "app/message_lines.h"
#include "domain/base/clock.h"
#include "domain/base/operator_log.h"
#include "eventstore/system_ports.h"

namespace daybook::app {

/// Failures and repairs as lines for the operator, at most kBurst at once and kPerSecond after
/// that: a store that fails each of ten thousand requests a second says so without filling the
/// disk. The next line that is written says how many were left out. Thread rule: any thread.
class TroubleLines final : public OperatorLog {
 public:
  static constexpr std::int64_t kBurst = 20;
  static constexpr std::int64_t kPerSecond = 2;
  static constexpr std::size_t kCauseBytesMax = 512;

  TroubleLines(MessageLines& lines, const Clock& clock) : lines_(lines), clock_(clock) {}

  void failed(std::string_view what, const Status& cause, std::string_view request_id) override;
  void repaired(std::string_view found) override;

 private:
  /// How many lines were left out before this one, or none if this one is, too.
  std::int64_t take_turn();

  MessageLines& lines_;
  const Clock& clock_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::int64_t credit_micros_ = kBurst * 1'000'000 / kPerSecond;
  Instant filled_at_{INT64_MIN};
  std::int64_t left_out_ = 0;
};

/// The same for a command that is no server: what the ledger it works on tells, on stderr.
struct TroubleOnStderr {
  eventstore::SystemClock clock;
  MessageLines messages;
  TroubleLines lines{messages, clock};
};

}  // namespace daybook::app
