#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "api/http_message.h"
#include "api/http_server.h"
#include "api/http_wire.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Asio's name
namespace ssl {
class context;  // NOLINT(readability-identifier-naming): Asio's name
}
}  // namespace boost::asio

namespace daybook::api {

/// One accepted connection. All functions on its io thread.
class HttpSession {
 public:
  HttpSession() = default;
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;
  HttpSession(HttpSession&&) = delete;
  HttpSession& operator=(HttpSession&&) = delete;
  virtual ~HttpSession() = default;

  virtual void drain() = 0;  ///< End after the request that is running; at once if idle.
  virtual void abort() = 0;  ///< End now.
};

/// What all connections of one server share. Any thread.
struct HttpCore {
  HttpServerConfig config;
  HttpApplication* handler = nullptr;
  std::shared_ptr<boost::asio::ssl::context> tls;  ///< Null: plain.

  std::atomic<std::uint64_t> open_connections{0};
  std::atomic<std::uint64_t> body_bytes{0};  ///< Reserved for bodies in flight.
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> rejected{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> timeouts{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> accept_failures{0};

  std::mutex mutex;  ///< Guards nothing but the wait for open_connections == 0.
  std::condition_variable all_closed;
};

/// Room for one body within what all bodies in flight may take.
class BodyReservation {
 public:
  BodyReservation(HttpCore& core, std::uint64_t bytes);
  BodyReservation(const BodyReservation&) = delete;
  BodyReservation& operator=(const BodyReservation&) = delete;
  BodyReservation(BodyReservation&&) = delete;
  BodyReservation& operator=(BodyReservation&&) = delete;
  ~BodyReservation();
  bool granted() const { return granted_; }

 private:
  HttpCore& core_;
  const std::uint64_t bytes_;
  bool granted_ = true;
};

/// How long after its first wait a body may take, of which `received` bytes came: the total, or
/// when it would fall below the minimum rate.
std::chrono::milliseconds body_allowance(const HttpServerConfig& config, std::uint64_t received);

/// One io thread's own things; touched on that thread only. Connections keep it alive, so that a
/// late answer from another thread never meets a destroyed io_context.
struct HttpWorker {
  explicit HttpWorker(std::shared_ptr<HttpCore> shared_core);
  HttpWorker(const HttpWorker&) = delete;
  HttpWorker& operator=(const HttpWorker&) = delete;
  HttpWorker(HttpWorker&&) = delete;
  HttpWorker& operator=(HttpWorker&&) = delete;
  ~HttpWorker();

  std::shared_ptr<HttpCore> core;
  std::unique_ptr<boost::asio::io_context> context;
  RequestIds ids;
  DateClock date;
  std::unordered_set<std::shared_ptr<HttpSession>> sessions;
};

/// Takes over an accepted, non-blocking socket, counted in open_connections already, and serves it
/// until it ends. On the worker's thread.
void start_session(const std::shared_ptr<HttpWorker>& worker, int fd, bool ipv6, std::string peer);

}  // namespace daybook::api
