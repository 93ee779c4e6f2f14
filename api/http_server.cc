#include "api/http_server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/tls1.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_message.h"
#include "api/http_session.h"
#include "api/http_wire.h"
#include "api/problem.h"
#include "domain/base/check.h"
#include "domain/base/result.h"

namespace daybook::api {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using WorkGuard = asio::executor_work_guard<asio::io_context::executor_type>;

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerTurn = 64;  // so that a flood of connections does not starve requests
constexpr std::chrono::milliseconds kAcceptPause{100};
// What the kernel keeps for a reader beyond what is on its way, which without this may be 4 MiB;
// the rest waits here, where it is counted.
constexpr int kUnsentMax = 128 * 1024;

Result<std::shared_ptr<asio::ssl::context>> make_tls(const HttpServerConfig& config) {
  if (config.tls_certificate_file.empty() && config.tls_key_file.empty()) {
    return std::shared_ptr<asio::ssl::context>();
  }
  auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  ::SSL_CTX_set_options(tls->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (::SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION) != 1) {
    return io_error("TLS 1.2 is not available");
  }
  error_code ec;
  static_cast<void>(tls->use_certificate_chain_file(config.tls_certificate_file, ec));
  if (ec) return io_error("TLS certificate " + config.tls_certificate_file + ": " + ec.message());
  static_cast<void>(tls->use_private_key_file(config.tls_key_file, asio::ssl::context::pem, ec));
  if (ec) return io_error("TLS key " + config.tls_key_file + ": " + ec.message());
  return tls;
}

/// The files of the stores come and go with their background work: with fewer, connections alone
/// can end the server of a small ledger. A large one has more files than that.
Status check_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kOpenFilesMin) return {};
  return io_error("the limit of open files is " + std::to_string(limit.rlim_cur) +
                  " (ulimit -Hn); a server needs " + std::to_string(kOpenFilesMin));
}

/// What the configuration asks for, within what the process may open.
std::size_t connection_limit(const HttpServerConfig& config) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return config.max_connections;
  const auto files = static_cast<std::size_t>(limit.rlim_cur);
  const std::size_t kept = std::min(config.fd_reserve, files / 2);
  return std::max<std::size_t>(1, std::min(config.max_connections, files - kept));
}

std::string peer_name(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* from = &address;
  if (address.ss_family == AF_INET6) {
    const auto* v6 = static_cast<const sockaddr_in6*>(from);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  const auto* v4 = static_cast<const sockaddr_in*>(from);
  ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(ntohs(v4->sin_port));
}

/// Does the error of an accept concern that one connection, which is gone?
bool is_passing(int error) {
  return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

Status listen_on(const HttpServerConfig& config, asio::ip::tcp::acceptor& acceptor) {
  error_code ec;
  const asio::ip::address address = asio::ip::make_address(config.address, ec);
  if (ec) return invalid("listen address " + config.address + ": not an IP address");
  const asio::ip::tcp::endpoint endpoint(address, config.port);
  // The error arrives in `ec`; the value answered is the same once more.
  static_cast<void>(acceptor.open(endpoint.protocol(), ec));
  if (!ec) static_cast<void>(acceptor.set_option(asio::socket_base::reuse_address(true), ec));
  if (!ec) static_cast<void>(acceptor.non_blocking(true, ec));
  if (!ec) static_cast<void>(acceptor.bind(endpoint, ec));
  if (!ec) static_cast<void>(acceptor.listen(kBacklog, ec));
  if (!ec) return {};
  return io_error("listen on " + config.address + " port " + std::to_string(config.port) + ": " +
                  ec.message());
}

/// Accepts on the first worker's thread and deals connections out in turn.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(std::shared_ptr<HttpCore> core, std::vector<std::shared_ptr<HttpWorker>> workers)
      : core_(std::move(core)),
        workers_(std::move(workers)),
        acceptor_(*workers_.front()->context),
        pause_(*workers_.front()->context),
        limit_(connection_limit(core_->config)) {}

  Result<std::uint16_t> open() {
    if (Status status = listen_on(core_->config, acceptor_); !status.ok()) return status;
    return acceptor_.local_endpoint().port();
  }

  void wait() {
    acceptor_.async_wait(asio::socket_base::wait_read,
                         [self = shared_from_this()](const error_code& ec) {
                           if (!ec && !self->closed_) self->accept_some();
                         });
  }

  void close() {
    closed_ = true;
    error_code ignored;
    static_cast<void>(acceptor_.close(ignored));
    pause_.cancel();
  }

 private:
  void accept_some() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      sockaddr_storage address{};
      socklen_t size = sizeof(address);
      void* into = &address;
      const int fd = ::accept4(acceptor_.native_handle(), static_cast<sockaddr*>(into), &size,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        take(fd, address);
      } else if (errno == EAGAIN) {
        break;
      } else if (!is_passing(errno)) {
        return rest();
      }
    }
    wait();
  }

  /// The connection stays in the backlog and readable: without a pause this would spin.
  void rest() {
    core_->accept_failures.fetch_add(1);
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec && !self->closed_) self->accept_some();
    });
  }

  void take(int fd, const sockaddr_storage& address) {
    if (core_->open_connections.load() >= limit_) return turn_away(fd);
    core_->accepted.fetch_add(1);
    core_->open_connections.fetch_add(1);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentMax, sizeof(kUnsentMax));
    std::shared_ptr<HttpWorker> worker = workers_[next_++ % workers_.size()];
    const bool ipv6 = address.ss_family == AF_INET6;
    asio::dispatch(*worker->context, [worker, fd, ipv6, peer = peer_name(address)] {
      start_session(worker, fd, ipv6, peer);
    });
  }

  void turn_away(int fd) {
    core_->rejected.fetch_add(1);
    if (core_->tls == nullptr) {
      const std::string id = workers_.front()->ids.next();
      HttpResponse response = problem(503, "overloaded", "Too many connections.", id);
      response.headers.emplace_back("Retry-After", "1");
      const std::time_t now =
          std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
      std::string text;
      append_response_head(text, response, {id, workers_.front()->date.at(now), true});
      text.append(response.body);
      static_cast<void>(::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    }
    ::close(fd);
  }

  const std::shared_ptr<HttpCore> core_;
  const std::vector<std::shared_ptr<HttpWorker>> workers_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  const std::size_t limit_;
  std::size_t next_ = 0;
  bool closed_ = false;
};

void run_worker(HttpWorker& worker) {
  ::pthread_setname_np(::pthread_self(), "http");
  for (;;) {
    try {
      worker.context->run();
      return;
    } catch (const std::exception&) {
      worker.core->failures.fetch_add(1);  // posted work that threw; the loop goes on
    }
  }
}

}  // namespace

struct HttpServer::Impl {
  Impl(HttpServerConfig config, HttpApplication& handler) : core(std::make_shared<HttpCore>()) {
    core->config = std::move(config);
    core->handler = &handler;
    const std::size_t count = std::max<std::size_t>(1, core->config.threads);
    for (std::size_t i = 0; i < count; ++i) workers.push_back(std::make_shared<HttpWorker>(core));
  }

  /// Every connection of every worker, on its thread. From a copy: ending one changes the set.
  void for_each_session(void (HttpSession::*act)()) {
    for (const std::shared_ptr<HttpWorker>& worker : workers) {
      asio::post(*worker->context, [worker, act] {
        const std::vector<std::shared_ptr<HttpSession>> sessions(worker->sessions.begin(),
                                                                 worker->sessions.end());
        for (const std::shared_ptr<HttpSession>& session : sessions) ((*session).*act)();
      });
    }
  }

  void close_listener() {
    std::promise<void> closed;
    asio::post(*workers.front()->context, [this, &closed] {
      listener->close();
      closed.set_value();
    });
    closed.get_future().wait();
  }

  bool wait_until_closed(Clock::time_point deadline) {
    std::unique_lock lock(core->mutex);
    return core->all_closed.wait_until(lock, deadline,
                                       [this] { return core->open_connections.load() == 0; });
  }

  std::shared_ptr<HttpCore> core;
  std::vector<std::shared_ptr<HttpWorker>> workers;
  std::shared_ptr<Listener> listener;
  std::vector<WorkGuard> guards;
  std::vector<std::thread> threads;
  std::mutex lifecycle;
  bool started = false;
  std::atomic<bool> stopped{false};
};

Status check_edge(const HttpServerConfig& config) {
  if (Status enough = check_open_files(); !enough.ok()) return enough;
  const auto tls = make_tls(config);
  if (!tls.ok()) return tls.status();
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context);
  return listen_on(config, acceptor);
}

HttpServer::HttpServer(HttpServerConfig config, HttpApplication& handler)
    : impl_(std::make_unique<Impl>(std::move(config), handler)) {}

// NOLINTNEXTLINE(bugprone-exception-escape): without memory for the end, the end is at once.
HttpServer::~HttpServer() { stop(std::chrono::milliseconds(0)); }

Result<std::uint16_t> HttpServer::start() {
  const std::lock_guard lock(impl_->lifecycle);
  CHECK(!impl_->started && !impl_->stopped);
  impl_->started = true;
  if (Status enough = check_open_files(); !enough.ok()) return enough;
  Result<std::shared_ptr<asio::ssl::context>> tls = make_tls(impl_->core->config);
  if (!tls.ok()) return tls.status();
  impl_->core->tls = *tls;
  impl_->listener = std::make_shared<Listener>(impl_->core, impl_->workers);
  Result<std::uint16_t> port = impl_->listener->open();
  if (!port.ok()) {
    impl_->listener.reset();
    return port.status();
  }
  impl_->listener->wait();
  for (const std::shared_ptr<HttpWorker>& worker : impl_->workers) {
    impl_->guards.emplace_back(worker->context->get_executor());
    impl_->threads.emplace_back([worker] { run_worker(*worker); });
  }
  return port;
}

void HttpServer::stop(std::chrono::milliseconds drain) {
  const Clock::time_point deadline = Clock::now() + drain;
  const std::lock_guard lock(impl_->lifecycle);
  if (impl_->stopped.exchange(true) || impl_->threads.empty()) return;
  impl_->close_listener();
  impl_->for_each_session(&HttpSession::drain);
  if (!impl_->wait_until_closed(deadline)) impl_->for_each_session(&HttpSession::abort);
  // A cut connection ends in its next turn; only then may the threads run out of work.
  while (!impl_->wait_until_closed(Clock::now() + std::chrono::milliseconds(50))) {
    impl_->for_each_session(&HttpSession::abort);
  }
  impl_->guards.clear();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
  impl_->listener.reset();
}

HttpServerStats HttpServer::stats() const {
  const HttpCore& core = *impl_->core;
  HttpServerStats stats;
  stats.open_connections = core.open_connections.load();
  stats.body_bytes = core.body_bytes.load();
  stats.answer_bytes = core.answer_bytes.load();
  stats.accepted = core.accepted.load();
  stats.rejected = core.rejected.load();
  stats.requests = core.requests.load();
  stats.refused = core.refused.load();
  stats.timeouts = core.timeouts.load();
  stats.answers_cut = core.answers_cut.load();
  stats.failures = core.failures.load();
  stats.accept_failures = core.accept_failures.load();
  return stats;
}

}  // namespace daybook::api
