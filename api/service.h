#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/batch.h"
#include "api/command_service.h"
#include "api/event_streams.h"
#include "api/http_message.h"
#include "api/http_server.h"
#include "api/metrics.h"
#include "api/read_context.h"
#include "api/routes.h"
#include "api/signal.h"
#include "api/worker_pool.h"
#include "eventstore/ledger.h"
#include "projections/projector.h"

namespace daybook::api {

struct ServiceLimits {
  std::int64_t read_wait_micros = 5'000'000;  ///< For the projections to reach what a read needs.
  std::uint64_t ready_lag_events_max = 500'000;  ///< Beyond it /readyz is false.
  std::int64_t sse_max_micros = 3'600'000'000;   ///< Of one Server-Sent stream.
};

/// What the service stands on. Everything outlives it.
struct ServiceParts {
  eventstore::Ledger& ledger;
  projections::Projector& projector;
  const KeyRing& keys;
  CommandService& commands;
  const ReadSources& sources;
  WorkerPool& workers;
  WorkerPool& batches;  ///< Batches block for long: no read waits behind one.
  Signal& applied;
  Metrics& metrics;
  TenantId first_tenant;
  std::uint32_t generation = 0;
  std::string version;                  ///< JSON of GET /version.
  OperatorLog* operator_log = nullptr;  ///< Null: causes of failures are not kept.
};

/// Everything behind the HTTP edge: routes, authorises, waits for what a read must see, and hands
/// over to commands, queries and streams. Thread rule: as HttpApplication.
class Service final : public HttpApplication {
 public:
  Service(ServiceParts parts, ServiceLimits limits) : parts_(std::move(parts)), limits_(limits) {}

  std::variant<HttpResponse, BodyLimit> on_header(const HttpRequest& head) override;
  void on_request(HttpRequest request, Respond respond) override;

  /// Where /metrics finds the counters of the edge. REQUIRES: set before the server starts.
  void watch_edge(std::function<HttpServerStats()> stats) { edge_stats_ = std::move(stats); }

  /// Below the configured disk reserve commands are refused with 507; reads go on.
  void set_storage_full(bool full) { storage_full_.store(full, std::memory_order_relaxed); }

 private:
  struct Admitted {
    RouteMatch match;
    Principal principal;
  };
  std::variant<Admitted, HttpResponse> admit(const HttpRequest& head) const;
  std::optional<HttpResponse> check_media(const HttpRequest& head, const Route& route) const;

  std::variant<HttpResponse, BodyLimit> look_at(const HttpRequest& head) const;
  void count(std::string_view method, const Route* route, const std::string& request_id,
             int status) const;
  void show_edge(Metrics& metrics) const;

  void run_command(HttpRequest request, Admitted admitted, Respond respond);
  void run_read(HttpRequest request, Admitted admitted, Respond respond);
  void close_and_read(std::uint64_t position, ReadRequest read, HttpRequest request,
                      Respond respond);
  void wait_and_read(std::uint64_t position, ReadRequest read, const HttpRequest& request,
                     Respond respond);
  std::variant<std::uint64_t, HttpResponse> read_point(const QueryParams& query,
                                                       const std::string& request_id,
                                                       ReadPoint& point) const;
  HttpResponse about_process(Operation operation, const std::string& request_id) const;
  HttpResponse readiness(const std::string& request_id) const;
  HttpResponse metrics_text() const;

  ServiceParts parts_;
  LogEntries log_entries_;
  ServiceLimits limits_;
  std::function<HttpServerStats()> edge_stats_;
  std::atomic<bool> storage_full_{false};
};

}  // namespace daybook::api
