#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_message.h"
#include "eventstore/command.h"

/// From the outcome of a command to what its caller sees. The answer to a recorded command is a
/// frozen function of its event: the same event gives the same status and body for ever.
namespace daybook::api {

/// What the answer needs to know of the request.
struct AnswerContext {
  bool is_post = false;  ///< 201 instead of 200 for a yes.
  std::string request_id;
  std::uint32_t generation = 0;
  std::optional<std::string> secret;  ///< Of a key that this very command made: shown once.
};

HttpResponse to_response(const eventstore::Answer& answer, const AnswerContext& context);

/// The canonical event with `position` and `hash`: a row of an event page, the data of an SSE
/// event.
std::string event_row_json(const eventstore::PlacedEvent& placed, std::uint32_t generation);

}  // namespace daybook::api
