#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/api_key.h"
#include "api/cursor.h"
#include "api/http_message.h"
#include "api/query_params.h"
#include "api/routes.h"
#include "domain/base/clock.h"
#include "domain/base/operator_log.h"
#include "domain/base/time.h"
#include "eventstore/event_log.h"
#include "eventstore/kv.h"
#include "eventstore/private_store.h"

namespace daybook::api {

/// What queries read from. Everything outlives them.
struct ReadSources {
  const eventstore::KvStore& store;  ///< `proj/`, opened with projections::table_specs().
  const eventstore::EventLog& log;
  const eventstore::PrivateStore& private_store;
  const CursorCodec& cursors;
  const Clock& clock;
  OperatorLog* operator_log = nullptr;  ///< Null: causes of failures are not kept.
};

/// Which past a query asks for; empty: the present.
struct ReadPoint {
  std::optional<Instant> as_of;                 ///< Recorded by then.
  std::optional<std::uint64_t> as_of_position;  ///< Recorded up to this event.
  std::optional<Instant> effective_at;          ///< Counting by then.
  /// What the first page of a list spoke for, from its cursor; goes before the others.
  std::optional<std::uint64_t> pin;

  bool is_past() const { return as_of || as_of_position || pin; }
};

/// One query, parsed, authorised, and after its wait for the projections.
struct ReadRequest {
  Operation operation{};
  PathParams params;
  QueryParams query;
  ReadPoint point;
  std::vector<std::string> place;  ///< Where a list goes on; empty: at its beginning.
  Principal principal;
  std::string request_id;
  std::uint32_t generation = 0;
};

}  // namespace daybook::api
