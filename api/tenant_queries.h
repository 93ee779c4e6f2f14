#pragma once

#include "api/http_message.h"
#include "api/read_context.h"

/// Reads of what a tenant's own stream holds: settings, keys, catalogue. As queries.h.
namespace daybook::api {

HttpResponse get_settings(const ReadRequest& request, const ReadSources& sources);
HttpResponse get_currency(const ReadRequest& request, const ReadSources& sources);

/// `GET /v1/keys` in order of creation, `GET /v1/catalogue/currencies` by code.
HttpResponse list_of_tenant(const ReadRequest& request, const ReadSources& sources);

}  // namespace daybook::api
