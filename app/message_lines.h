#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/line_writer.h"
#include "eventstore/json_text.h"
#include "eventstore/system_ports.h"

namespace daybook::app {

enum class MessageLevel : std::uint8_t { kInfo, kWarning, kError };

/// Messages to the operator: one JSON object a line on stderr, with `time`, `level` and `event`.
/// Never amounts together with names, never a credential. Nobody waits for a reader of stderr
/// (app/line_writer.h). Thread rule: any thread.
class MessageLines {
 public:
  MessageLines();

  /// `event` says what happened in a few fixed words; `fields` whatever belongs to it.
  void write(MessageLevel level, std::string_view event, eventstore::JsonObject fields = {});

  /// Words for people among the lines.
  void say(std::string words);

  /// Waits until all is written; false: it was not, in that time.
  bool flush(std::chrono::milliseconds time) { return writer_.flush(time); }

 private:
  eventstore::SystemClock clock_;
  LineWriter writer_;
};

}  // namespace daybook::app
