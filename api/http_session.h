#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

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
  virtual void take_answer(HttpResponse response) = 0;  ///< To the request that is waiting.
  /// End now if its answer is read too slowly.
  virtual void give_room(std::chrono::steady_clock::time_point now) = 0;
};

/// Answers on their way to the io thread. They come in groups, one for each group commit; the
/// thread is woken once for a group, not once for each.
class AnswerQueue {
 public:
  struct Item {
    std::shared_ptr<HttpSession> session;
    HttpResponse response;
  };

  /// True: the queue was empty, and the io thread must be told. Any thread.
  bool push(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    return items_.size() == 1;
  }
  std::vector<Item> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(items_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Item> items_;  ///< At most one for each connection.
};

/// What all connections of one server share. Any thread.
struct HttpCore {
  HttpServerConfig config;
  HttpApplication* handler = nullptr;
  std::shared_ptr<boost::asio::ssl::context> tls;  ///< Null: plain.

  std::atomic<std::uint64_t> open_connections{0};
  std::atomic<std::uint64_t> body_bytes{0};    ///< Of bodies in flight (http_room.h).
  std::atomic<std::uint64_t> answer_bytes{0};  ///< Of answers that wait for their readers.
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> rejected{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> timeouts{0};
  std::atomic<std::uint64_t> answers_cut{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> accept_failures{0};

  std::mutex mutex;  ///< Guards nothing but the wait for open_connections == 0.
  std::condition_variable all_closed;
};

/// One io thread's own things; touched on that thread only. Connections keep it alive, so that a
/// late answer from another thread never meets a destroyed io_context.
struct HttpWorker {
  explicit HttpWorker(std::shared_ptr<HttpCore> shared_core);
  HttpWorker(const HttpWorker&) = delete;
  HttpWorker& operator=(const HttpWorker&) = delete;
  HttpWorker(HttpWorker&&) = delete;
  HttpWorker& operator=(HttpWorker&&) = delete;
  ~HttpWorker();

  /// Too many answers wait: connections that read theirs too slowly are ended. Seldom, since it
  /// looks at all of them.
  void make_room();

  std::shared_ptr<HttpCore> core;
  std::unique_ptr<boost::asio::io_context> context;
  RequestIds ids;
  DateClock date;
  AnswerQueue answers;
  std::unordered_set<std::shared_ptr<HttpSession>> sessions;
  std::chrono::steady_clock::time_point room_made;  ///< Last time.
};

/// Takes over an accepted, non-blocking socket, counted in open_connections already, and serves it
/// until it ends. On the worker's thread.
void start_session(const std::shared_ptr<HttpWorker>& worker, int fd, bool ipv6, std::string peer);

}  // namespace daybook::api
