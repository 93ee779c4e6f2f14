#include "app/message_lines.h"

#include <memory>
#include <string>
#include <string_view>

#include <spdlog/common.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "domain/base/check.h"
#include "domain/base/time.h"
#include "eventstore/json_text.h"
#include "eventstore/system_ports.h"

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

struct MessageLines::Sink {
  Sink() : logger("daybook", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_pattern("%v");
    logger.flush_on(spdlog::level::info);
  }

  eventstore::SystemClock clock;
  spdlog::logger logger;
};

MessageLines::MessageLines() : sink_(std::make_unique<Sink>()) {}
MessageLines::~MessageLines() = default;

void MessageLines::write(MessageLevel level, std::string_view event,
                         eventstore::JsonObject fields) {
  const std::string line = fields.string("time", to_rfc3339(sink_->clock.now()))
                               .string("level", name_of(level))
                               .string("event", event)
                               .text();
  sink_->logger.info(spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace daybook::app
