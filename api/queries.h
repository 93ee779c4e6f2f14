#pragma once

#include <span>
#include <string_view>

#include "api/http_message.h"
#include "api/read_context.h"

/// The reading side: one function per resource, each a fold or a look at a read model, rendered as
/// JSON. They block on the store, so they run on the reader threads.
namespace daybook::api {

/// Names that the query string of an operation may have.
std::span<const std::string_view> query_names(Operation operation);

/// Answers any query but event streams (api/event_streams.h). Errors of the store become 503.
HttpResponse run_query(const ReadRequest& request, const ReadSources& sources);

}  // namespace daybook::api
