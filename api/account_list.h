#pragma once

#include "api/http_message.h"
#include "api/read_context.h"

namespace daybook::api {

/// Answers `GET /v1/accounts`: the accounts as they were at the position that the page speaks for,
/// by id. A client key sees those that it names.
HttpResponse list_accounts(const ReadRequest& request, const ReadSources& sources);

}  // namespace daybook::api
