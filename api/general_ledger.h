#pragma once

#include "api/http_message.h"
#include "api/read_context.h"

namespace daybook::api {

/// GET /v1/general-ledger: the tenant's trial balance over UTC days of effective_at, with what each
/// ledger account brought in and took out. Opening and closing are signed, debits positive, and sum
/// to zero per currency; debits and credits are both printed positive, and their sums are equal.
HttpResponse get_general_ledger(const ReadRequest& request, const ReadSources& sources);

}  // namespace daybook::api
