#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/api_key.h"
#include "api/http_message.h"
#include "api/in_flight.h"
#include "api/json_reader.h"
#include "api/routes.h"
#include "api/worker_pool.h"
#include "domain/base/random.h"
#include "eventstore/command.h"
#include "eventstore/ledger.h"
#include "eventstore/private_store.h"

namespace daybook::api {

/// One write as it was asked for, alone or as an item of a batch.
struct WriteRequest {
  const RouteInfo* route = nullptr;
  PathParams params;
  std::string method;
  std::string path;   ///< Raw, without the query.
  std::string query;  ///< Raw.
  std::optional<std::string> idempotency_key;
  std::optional<std::string> if_match;
  Principal principal;
  std::string request_id;
};

/// From a write request to its answer: body to command, private values aside, fingerprint, submit,
/// render. Thread rule: any thread; run() looks things up in the store, so it may block briefly.
class CommandService {
 public:
  struct Services {
    eventstore::Ledger& ledger;
    eventstore::PrivateStore& private_store;
    const Random& random;
    WorkerPool& workers;
    std::string fingerprint_secret;
    std::string key_pepper;
    std::uint32_t generation = 0;
    /// How long a concurrent duplicate waits for the command it joined.
    std::chrono::milliseconds duplicate_wait{10'000};
  };

  explicit CommandService(Services services)
      : services_(std::move(services)), in_flight_(services_.duplicate_wait) {}

  /// `respond` is called exactly once, from any thread.
  void run(WriteRequest request, std::string_view body, Respond respond);
  /// The same for a body that was read already (batch items).
  void run(WriteRequest request, const JsonValue& body, Respond respond);

 private:
  struct Prepared;

  std::optional<HttpResponse> read_headers(const WriteRequest& request,
                                           eventstore::Command& command) const;
  std::optional<HttpResponse> keep_private(Prepared& prepared);
  void mint_keys(Prepared& prepared) const;
  void finish(const Prepared& prepared, const eventstore::Answer& answer, const Respond& respond);

  Services services_;
  InFlight in_flight_;
};

}  // namespace daybook::api
