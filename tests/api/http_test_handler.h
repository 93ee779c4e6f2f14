#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "api/http_message.h"
#include "api/problem.h"

namespace daybook::api {

/// A stream whose test says what it gives, and when.
class ScriptedStream : public BodyStream {
 public:
  explicit ScriptedStream(bool is_endless, std::string beat)
      : endless_(is_endless), heartbeat_(std::move(beat)) {}
  ~ScriptedStream() override { destroyed = true; }

  Next next(std::string& out, std::size_t /*room*/) override {
    const std::lock_guard lock(mutex_);
    if (pending_.empty()) return last_;
    out = std::exchange(pending_, "");
    return Next::kData;
  }
  void subscribe(std::function<void()> wake) override {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }
  std::string_view heartbeat() const override { return heartbeat_; }
  bool endless() const override { return endless_; }

  void give(std::string_view data, Next last = Next::kNothingYet) {
    const std::lock_guard lock(mutex_);
    pending_ += data;
    last_ = last;
    if (wake_) wake_();  // with the lock held: the server must not call next() from here
  }

  std::atomic<bool> destroyed{false};

 private:
  const bool endless_;
  const std::string heartbeat_;
  std::mutex mutex_;
  std::string pending_;
  Next last_ = Next::kNothingYet;
  std::function<void()> wake_;
};

/// Data without end, as fast as it is taken.
class FloodStream : public BodyStream {
 public:
  Next next(std::string& out, std::size_t room) override {
    out.assign(room, 'x');
    return Next::kData;
  }
};

/// Answers by path; remembers what it was asked.
class TestHandler : public HttpApplication {
 public:
  static constexpr std::size_t kBodyLimit = 1000;

  ~TestHandler() override {
    for (std::thread& thread : threads_) thread.join();
  }

  std::variant<HttpResponse, BodyLimit> on_header(const HttpRequest& head) override {
    if (head.path == "/throw-header") throw std::runtime_error("header");
    if (head.path == "/deny") return problem(401, "unauthenticated", "No.", head.request_id);
    return BodyLimit{head.path == "/large-body" ? 4U << 20U : kBodyLimit};
  }

  void on_request(HttpRequest request, Respond respond) override {
    {
      const std::lock_guard lock(mutex);
      io_thread = std::this_thread::get_id();
      seen.push_back(request.method + " " + request.target + " " + request.body);
    }
    HttpResponse response;
    response.body = request.path + "|" + request.body;
    if (request.path == "/never") return keep(std::move(respond));
    if (request.path == "/later") return later(std::move(response), std::move(respond));
    if (request.path == "/throw") throw std::runtime_error("request");
    if (request.path == "/twice") {
      respond(response);
      response.body = "second";
    }
    if (request.path == "/large") response.body.assign(8U << 20U, 'L');
    if (request.path == "/inject") response.headers.emplace_back("X-A", "b\r\nX-Evil: c");
    if (request.path == "/cached") response.headers.emplace_back("Cache-Control", "max-age=60");
    if (request.path == "/empty") response.status = 204;
    if (request.path == "/stream") response.stream = stream;
    if (request.path == "/flood") response.stream = std::make_shared<FloodStream>();
    respond(std::move(response));
  }

  /// The respond() of a request to /never, once it is there.
  Respond kept_respond() {
    std::unique_lock lock(mutex);
    kept_one_.wait_for(lock, std::chrono::seconds(5), [this] { return kept_ != nullptr; });
    return std::exchange(kept_, nullptr);
  }

  std::size_t count_seen() {
    const std::lock_guard lock(mutex);
    return seen.size();
  }

  std::mutex mutex;
  std::vector<std::string> seen;
  std::thread::id io_thread;  ///< Of the last request.
  std::shared_ptr<ScriptedStream> stream = std::make_shared<ScriptedStream>(true, ":\n\n");
  std::chrono::milliseconds delay{1};

 private:
  void keep(Respond respond) {
    const std::lock_guard lock(mutex);
    kept_ = std::move(respond);
    kept_one_.notify_all();
  }
  void later(HttpResponse response, Respond respond) {
    const std::lock_guard lock(mutex);
    threads_.emplace_back(
        [wait = delay, respond = std::move(respond), response = std::move(response)] {
          std::this_thread::sleep_for(wait);
          respond(response);
        });
  }

  Respond kept_;
  std::condition_variable kept_one_;
  std::vector<std::thread> threads_;
};

}  // namespace daybook::api
