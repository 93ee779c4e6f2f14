#include "app/message_lines.h"

#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "domain/base/check.h"
#include "domain/base/time.h"
#include "eventstore/json_text.h"

namespace daybook::app {
namespace {

std::string_view name_of(MessageLevel level) {
  switch (level) {
    case MessageLevel::kInfo:
      return "info";
    case MessageLevel::kWarning:
      return "warning";
    case MessageLevel::kError:
      return "error";
  }
  CHECK(false);
}

}  // namespace

MessageLines::MessageLines() : writer_(STDERR_FILENO) {}

void MessageLines::write(MessageLevel level, std::string_view event,
                         eventstore::JsonObject fields) {
  writer_.write(fields.string("time", to_rfc3339(clock_.now()))
                    .string("level", name_of(level))
                    .string("event", event)
                    .text() +
                "\n");
}

void MessageLines::say(std::string words) { writer_.write(std::move(words) + "\n"); }

}  // namespace daybook::app
