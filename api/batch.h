#pragma once

#include <string>

#include "api/command_service.h"
#include "api/http_message.h"

namespace daybook::api {

/// Commands of one batch.
inline constexpr std::size_t kBatchCommandsMax = 10'000;

struct BatchContext {
  const Principal& principal;
  const TenantId& first_tenant;
  CommandService& commands;
};

/// Answers `POST /v1/batch`: every item on its own, results in the order of the commands, in the
/// form that came (JSON or NDJSON). Items of one account are decided in their order; after one that
/// was answered 503 so are those that follow, or a retry would come out of order. Items are made
/// ready, their private values durable with one write, and submitted 256 at a time. Blocks for as
/// long as that takes: it runs on a thread that serves batches alone.
void run_batch(const HttpRequest& request, const BatchContext& context, Respond respond);

/// Whether a role may use a route at all (client keys: only kReadAccount).
bool is_allowed(const Principal& principal, Access access, const TenantId& first_tenant);

}  // namespace daybook::api
