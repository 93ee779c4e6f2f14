#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/http_gate.h"
#include "api/http_message.h"
#include "domain/base/result.h"

namespace daybook::api {

/// With fewer open files than this (RLIMIT_NOFILE) no server starts: kIo.
inline constexpr std::uint64_t kOpenFilesMin = 256;

/// Where to listen and every maximum of the HTTP edge.
struct HttpServerConfig {
  std::string address = "127.0.0.1";  ///< An IP address, not a name.
  std::uint16_t port = 0;             ///< 0: any free one.
  std::string tls_certificate_file;   ///< PEM chain; empty: plain HTTP.
  std::string tls_key_file;           ///< PEM.
  std::size_t threads = 1;

  GateLimits gate;
  std::size_t max_connections = 10'000;  ///< Fewer where the process may open fewer files.
  std::size_t fd_reserve = 512;          ///< Descriptors left to everything else.
  std::uint64_t max_requests_per_connection = 10'000;
  std::uint64_t max_body_bytes_in_flight = 128ULL << 20U;  ///< Over all connections.
  std::uint64_t max_drained_body_bytes = 64ULL << 10U;     ///< Of a refused request.
  /// Of answers that do not fit their sockets, over all connections. Beyond it those who read less
  /// than 64 KiB/s are cut off, and then who comes last; answers up to 16 KiB always may wait.
  std::uint64_t max_answer_bytes_in_flight = 128ULL << 20U;
  std::size_t stream_chunk_bytes = 64ULL << 10U;

  std::chrono::milliseconds tls_handshake_deadline{5'000};
  std::chrono::milliseconds header_deadline{10'000};  ///< From its first byte, in total.
  std::chrono::milliseconds idle_deadline{30'000};    ///< Between requests.
  std::chrono::milliseconds body_deadline{30'000};    ///< In total.
  std::chrono::milliseconds body_grace{5'000};        ///< Before body_bytes_per_second counts.
  std::uint64_t body_bytes_per_second = 1024;
  std::chrono::milliseconds handler_deadline{30'000};
  std::chrono::milliseconds write_stall{30'000};   ///< Without progress.
  std::chrono::milliseconds stream_stall{30'000};  ///< The same for a BodyStream.
  std::chrono::milliseconds stream_heartbeat{15'000};
  std::chrono::milliseconds linger{1'000};  ///< So that a last answer is not lost to a reset.
};

/// Whether a server could start like this now: open files, TLS files, address. Errors as
/// HttpServer::start().
Status check_edge(const HttpServerConfig& config);

/// Counters since start(), but for the first three, which are now.
struct HttpServerStats {
  std::uint64_t open_connections = 0;
  std::uint64_t body_bytes = 0;    ///< Of bodies in flight; now.
  std::uint64_t answer_bytes = 0;  ///< Of answers that wait for their readers; now.
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;     ///< Connections turned away with 503.
  std::uint64_t requests = 0;     ///< Answered or refused.
  std::uint64_t refused = 0;      ///< By the gate.
  std::uint64_t timeouts = 0;     ///< Clients too slow, and handlers.
  std::uint64_t answers_cut = 0;  ///< Nobody read them, and there was no room for more.
  std::uint64_t failures = 0;     ///< Exceptions out of handlers and streams, unsendable answers.
  std::uint64_t accept_failures = 0;  ///< Mostly: out of descriptors. Each is followed by a pause.
};

/// The HTTP/1.1 edge (RFC 9112): strict gate, deadlines for every phase, one request at a time and
/// in order per connection, Content-Length bodies only. Knows nothing of what it serves.
///
/// A connection stays on one io thread for life, so handlers need no locks of the server's. All
/// functions here may be called from any thread; stop() and the destructor not from an io thread.
class HttpServer {
 public:
  /// `handler` must outlive this.
  HttpServer(HttpServerConfig config, HttpApplication& handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  HttpServer(HttpServer&&) = delete;
  HttpServer& operator=(HttpServer&&) = delete;
  ~HttpServer();  ///< stop() without a drain.

  /// Listens and starts the io threads; answers the port. kInvalid: the configuration; kIo: the
  /// socket or the TLS files. Once only, also after a failure.
  Result<std::uint16_t> start();

  /// Stops accepting, closes idle connections, lets running requests end with `Connection: close`
  /// until `drain` is over, then cuts what is left. Answers already given are unaffected; a
  /// respond() that comes later is ignored.
  void stop(std::chrono::milliseconds drain);

  HttpServerStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook::api
