#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "eventstore/json_text.h"

namespace daybook::app {

enum class MessageLevel : std::uint8_t { kInfo, kWarning, kError };

/// Messages to the operator: one JSON object a line on stderr, with `time`, `level` and `event`.
/// Never amounts together with names, never a credential. Thread rule: any thread.
class MessageLines {
 public:
  MessageLines();
  ~MessageLines();
  MessageLines(const MessageLines&) = delete;
  MessageLines& operator=(const MessageLines&) = delete;
  MessageLines(MessageLines&&) = delete;
  MessageLines& operator=(MessageLines&&) = delete;

  /// `event` says what happened in a few fixed words; `fields` whatever belongs to it.
  void write(MessageLevel level, std::string_view event, eventstore::JsonObject fields = {});

 private:
  struct Sink;
  std::unique_ptr<Sink> sink_;
};

}  // namespace daybook::app
