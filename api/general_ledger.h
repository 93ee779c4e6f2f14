#pragma once

#include "api/http_message.h"
#include "api/read_context.h"

namespace daybook::api {

/// GET /v1/general-ledger: the tenant's trial balance over UTC days of effective_at, with what each
/// ledger account brought in and took out. Debits are positive, credits negative; each column sums
/// to zero per currency.
HttpResponse get_general_ledger(const ReadRequest& request, const ReadSources& sources);

}  // namespace daybook::api
