#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/api_key.h"
#include "api/http_message.h"
#include "api/in_flight.h"
#include "api/json_reader.h"
#include "api/routes.h"
#include "api/worker_pool.h"
#include "domain/base/random.h"
#include "eventstore/command.h"
#include "eventstore/ledger.h"
#include "eventstore/log_index.h"
#include "eventstore/private_store.h"
#include "projections/private_follower.h"
#include "projections/projector.h"

namespace daybook::api {

/// One write as it was asked for, alone or as an item of a batch.
struct WriteRequest {
  const Route* route = nullptr;
  PathParams params;
  std::string method;
  std::string path;   ///< Percent-decoded, without the query.
  std::string query;  ///< Raw.
  std::optional<std::string> idempotency_key;
  std::optional<std::string> if_match;
  Principal principal;
  std::string request_id;
};

/// From a write request to its answer: body to command, private values aside, fingerprint, submit,
/// render. Thread rule: any thread. A look-up may block briefly; a private value is synced to disk,
/// which is a worker's job.
class CommandService {
 public:
  struct Services {
    eventstore::Ledger& ledger;
    const eventstore::LogIndex& index;
    projections::Projector& projector;
    eventstore::PrivateStore& private_store;
    projections::PrivateFollower& private_follower;
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

  /// From an io thread: a command with a private value goes on in a worker. `respond` is called
  /// exactly once, from any thread.
  void run(WriteRequest request, std::string_view body, Respond respond);

  /// A command that was read and checked, and nothing done for it yet.
  struct Prepared;
  struct BatchItem {
    std::shared_ptr<Prepared> prepared;
    Respond respond;
    std::function<bool()> is_held_back;  ///< As in eventstore::Submission.
  };
  /// The command, or what is wrong with it.
  std::variant<std::shared_ptr<Prepared>, HttpResponse> prepare(WriteRequest request,
                                                                const JsonValue& body) const;
  /// Makes the private values of all of them durable with one write and submits them together.
  /// Blocks for that write. All are submitted or answered when this returns, so that what is
  /// submitted next comes after them.
  void submit(std::vector<BatchItem> items);

 private:
  std::optional<HttpResponse> read_headers(const WriteRequest& request,
                                           eventstore::Command& command) const;
  void find_same_extras(const std::vector<Prepared*>& prepared) const;
  Status keep_private(const std::vector<Prepared*>& prepared);
  void submit(const std::shared_ptr<Prepared>& prepared, Respond respond);
  eventstore::Submission submission(const std::shared_ptr<Prepared>& prepared, Respond respond);
  void mint_keys(Prepared& prepared) const;
  void finish(const Prepared& prepared, const eventstore::Answer& answer, const Respond& respond);
  void answer_when_erased(std::uint64_t position, HttpResponse response,
                          const std::string& request_id, Respond respond);

  Services services_;
  InFlight in_flight_;
};

}  // namespace daybook::api
