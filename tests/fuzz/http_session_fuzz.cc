#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_gate.h"
#include "api/http_message.h"
#include "api/http_parser.h"
#include "api/http_server.h"
#include "api/http_session.h"
#include "domain/base/check.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

constexpr std::size_t kInputMax = 32'768;  // fits the socket's buffer
constexpr std::size_t kBodyLimit = 64;
constexpr std::uint64_t kDrainedMax = 128;
constexpr int kStepsMax = 10'000;
constexpr std::string_view kDenied = "/deny";

/// One request, as far as its framing goes.
struct Seen {
  std::string method;
  std::string target;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;

  bool operator==(const Seen&) const = default;
};

class Recorder final : public api::HttpApplication {
 public:
  std::variant<api::HttpResponse, api::BodyLimit> on_header(const api::HttpRequest& head) override {
    if (!head.path.starts_with(kDenied)) return api::BodyLimit{kBodyLimit};
    api::HttpResponse answer;
    answer.status = 401;
    return answer;
  }
  void on_request(api::HttpRequest request, api::Respond respond) override {
    Seen one{request.method, request.target, request.body, {}};
    for (std::size_t i = 0; i < request.headers.size(); ++i) {
      const auto [name, value] = request.headers.at(i);
      one.fields.emplace_back(name, value);
    }
    seen.push_back(std::move(one));
    api::HttpResponse answer;
    answer.body = request.path + "|" + request.body;
    respond(std::move(answer));
  }

  std::vector<Seen> seen;
};

/// What must reach the application, by the rules of the gate alone: the bytes of one request end
/// where the next one begins, and nothing follows what was not understood.
class Expected {
 public:
  std::vector<Seen> seen;
  std::vector<int> statuses;

  void read(std::string_view stream, const api::GateLimits& limits) {
    while (!stream.empty()) {
      const auto scan = api::scan_header(stream, 0, limits);
      if (scan.refusal) return statuses.push_back(scan.refusal->status);
      if (scan.end == 0) return;
      const std::string_view raw = stream.substr(0, scan.end);
      stream.remove_prefix(scan.end);
      if (!take(raw, stream, limits)) return;
    }
  }

 private:
  /// One header; true if the connection goes on. Takes the body off the stream.
  bool take(std::string_view raw, std::string_view& stream, const api::GateLimits& limits) {
    api::RequestHead head;
    std::optional<api::Refusal> refusal = api::gate(raw, limits, head);
    if (!refusal && !api::beast_agrees(raw, head, limits)) refusal = api::Refusal{};
    const bool denied = !refusal && head.path.starts_with(kDenied);
    if (refusal || denied) {
      statuses.push_back(denied ? 401 : refusal->status);
      const std::uint64_t unread = refusal && refusal->close ? 0 : head.content_length;
      const bool goes_on = (!refusal || !refusal->close) && !head.close && unread <= kDrainedMax &&
                           !(head.expect_continue && unread > 0);
      if (!goes_on || stream.size() < unread) return false;
      stream.remove_prefix(static_cast<std::size_t>(unread));
      return true;
    }
    if (head.content_length > kBodyLimit) {
      statuses.push_back(413);
      return false;
    }
    if (head.expect_continue && head.content_length > 0) interim = true;
    if (stream.size() < head.content_length) return false;
    const auto size = static_cast<std::size_t>(head.content_length);
    Seen one{std::string(head.method),
             std::string(head.target),
             std::string(stream.substr(0, size)),
             {}};
    for (const auto& [name, value] : head.fields) one.fields.emplace_back(name, value);
    seen.push_back(std::move(one));
    statuses.push_back(200);
    stream.remove_prefix(size);
    return !head.close;
  }

 public:
  bool interim = false;  ///< A 100 may have been sent, where the body was late.
};

/// A real connection over a pair of sockets, turned by hand.
class Connection {
 public:
  Connection() : core_(std::make_shared<api::HttpCore>()) {
    core_->config.max_drained_body_bytes = kDrainedMax;
    core_->config.gate = {};
    core_->handler = &recorder;
    core_->open_connections = 1;
    worker_ = std::make_shared<api::HttpWorker>(core_);
    std::array<int, 2> ends{};
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    ours_ = ends[0];
    api::start_session(worker_, ends[1], false, "127.0.0.1:1");
    turn();
  }
  ~Connection() { ::close(ours_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(std::string_view piece) {
    while (!piece.empty()) {
      const ssize_t sent = ::send(ours_, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent < 0) return;  // the other end has closed
      piece.remove_prefix(static_cast<std::size_t>(sent));
      turn();
    }
  }

  /// The end of what the client says; whatever comes back until the session is over.
  std::string finish() {
    ::shutdown(ours_, SHUT_WR);
    for (int step = 0; step < kStepsMax && core_->open_connections > 0; ++step) turn();
    require(core_->open_connections == 0, "a session ends with its client");
    require(core_->failures == 0 && core_->timeouts == 0 && core_->body_bytes == 0,
            "nothing failed and nothing is left");
    receive();
    return std::move(answers_);
  }

  Recorder recorder;

 private:
  void turn() {
    worker_->context->restart();
    worker_->context->poll();
    receive();
  }
  void receive() {
    std::array<char, 16'384> buffer;
    for (;;) {
      const ssize_t got = ::recv(ours_, buffer.data(), buffer.size(), 0);
      if (got <= 0) return;
      answers_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  std::shared_ptr<api::HttpCore> core_;
  std::shared_ptr<api::HttpWorker> worker_;
  int ours_ = -1;
  std::string answers_;
};

/// The final status of every answer. Answers are well formed: ours, so by their Content-Length.
std::vector<int> statuses_of(std::string_view answers, const std::vector<Seen>& seen) {
  std::vector<int> statuses;
  std::size_t served = 0;
  while (!answers.empty()) {
    constexpr std::string_view kVersion = "HTTP/1.1 ";
    const std::size_t end = answers.find("\r\n\r\n");
    require(answers.starts_with(kVersion) && end != std::string_view::npos,
            "every answer begins as one");
    const std::string_view head = answers.substr(0, end + 2);
    answers.remove_prefix(end + 4);
    const int status = std::stoi(std::string(head.substr(kVersion.size(), 3)));
    if (status == 100) continue;
    statuses.push_back(status);
    const bool head_only = status == 200 && seen.at(served++).method == "HEAD";
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    const std::size_t length = head.find(kLength);
    require(length != std::string_view::npos, "every answer has a length");
    const auto size =
        static_cast<std::size_t>(std::stoul(std::string(head.substr(length + kLength.size(), 12))));
    if (head_only) continue;
    // A refused HEAD has no body either; then the next answer, or the end, follows at once.
    if (status != 200 && (answers.empty() || answers.starts_with(kVersion))) continue;
    require(answers.size() >= size, "an answer has as many bytes as it says");
    answers.remove_prefix(size);
  }
  return statuses;
}

}  // namespace

/// All that a client says on one connection, in pieces, to a real session.
void http_session(std::string_view bytes) {
  if (bytes.size() > kInputMax) return;
  Expected expected;
  expected.read(bytes, api::GateLimits{});
  Chance chance(bytes);
  // A handful of pieces where there is much: each is a turn of the event loop.
  const std::size_t some = 1 + chance.below(std::max<std::size_t>(64, bytes.size() / 4));
  for (const std::size_t longest : {kInputMax, some}) {
    Connection connection;
    if (longest == kInputMax) {
      connection.send(bytes);
    } else {
      for (const auto piece : pieces_of(bytes, longest, chance)) connection.send(piece);
    }
    const std::string answers = connection.finish();
    require(connection.recorder.seen == expected.seen,
            "the application gets the requests that the bytes are, and no others");
    require(statuses_of(answers, expected.seen) == expected.statuses,
            "every request is answered once, in order");
    require(expected.interim || answers.find("HTTP/1.1 100") == std::string::npos ||
                bytes.find("HTTP/1.1 100") != std::string_view::npos,
            "only who asks is told to go on");
  }
}

}  // namespace daybook::fuzz
