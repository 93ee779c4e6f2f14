#include "benchmarks/load_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace daybook::benchmarks {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kBufferBytes = std::size_t{256} * 1024;
constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 20;
constexpr std::chrono::seconds kSilenceMax{30};
/// An open loop goes on so long after its time for what was due and not sent.
constexpr std::chrono::seconds kGrace{5};
constexpr std::chrono::milliseconds kRest{50};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

template <class Number>
Number number_at(std::string_view text) {
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

struct Whole {
  Answered answer;
  std::size_t bytes = 0;
  bool closes = false;  ///< The server ends the connection, as it does after so many requests.
};

/// The first answer in `text`, nothing while it is incomplete. Knows Content-Length alone.
std::optional<Whole> whole_answer(std::string_view text) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t head = text.find("\r\n\r\n");
  if (head == std::string_view::npos) return std::nullopt;
  const std::size_t at = text.substr(0, head).find(kLength);
  if (!text.starts_with(kVersion) || at == std::string_view::npos) {
    fail("not an answer with Content-Length: " + std::string(text.substr(0, 300)));
  }
  const auto length = number_at<std::size_t>(text.substr(at + kLength.size(), 20));
  const std::size_t bytes = head + 4 + length;
  if (bytes > kAnswerBytesMax) fail("an answer is too long");
  if (text.size() < bytes) return std::nullopt;
  return Whole{{number_at<int>(text.substr(kVersion.size(), 3)), text.substr(head + 4, length)},
               bytes,
               text.substr(0, head).find("\r\nConnection: close") != std::string_view::npos};
}

}  // namespace

struct LoadLoop::State {
  Run run;
  SteadyClock::time_point begin = SteadyClock::now();
  std::uint64_t next = 0;  ///< Number of the next request.
  std::size_t waiting = 0;
  std::vector<std::size_t> idle;
  std::deque<Resting> resting;  ///< In the order in which they rise.

  /// When the next request is due; nothing if none is to come.
  std::optional<SteadyClock::time_point> due(const Plan& plan, SteadyClock::time_point now) const {
    if (next >= plan.requests_max) return std::nullopt;
    if (plan.interval.count() == 0) {
      return now < begin + plan.time ? std::optional(now) : std::nullopt;
    }
    const auto at = begin + plan.interval * static_cast<nanoseconds::rep>(next);
    const bool in_time = at < begin + plan.time && now < begin + plan.time + kGrace;
    return in_time ? std::optional(at) : std::nullopt;
  }
};

LoadLoop::LoadLoop(std::uint16_t port, std::size_t connections)
    : port_(port),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kBufferBytes),
      connections_(connections) {
  if (epoll_ < 0) fail("epoll_create1 failed");
  for (std::size_t i = 0; i < connections; ++i) connect(i);
}

LoadLoop::~LoadLoop() {
  for (const Connection& connection : connections_) {
    if (connection.file >= 0) ::close(connection.file);
  }
  ::close(epoll_);
}

void LoadLoop::connect(std::size_t index) {
  const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Connection& connection = connections_[index];
  if (connection.file >= 0) ::close(connection.file);
  connection = {file, {}, 0, {}, {}};  // nothing of a connection before it
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets interface
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(file, where, sizeof address) != 0) fail("nothing serves on the port");
  watch(index, false, EPOLL_CTL_ADD);
}

void LoadLoop::watch(std::size_t index, bool writable, int operation) const {
  epoll_event event{};
  event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index;
  if (::epoll_ctl(epoll_, operation, connections_[index].file, &event) != 0) {
    fail("epoll_ctl failed");
  }
}

void LoadLoop::flush(std::size_t index) {
  Connection& connection = connections_[index];
  const bool was_partial = connection.out_sent > 0;
  const ssize_t sent =
      ::send(connection.file, connection.out.data() + connection.out_sent,
             connection.out.size() - connection.out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
    connection.out_sent = connection.out.size();  // refused before it was whole: the answer says so
  } else if (sent < 0 && errno != EAGAIN) {
    fail("a request could not be sent");
  }
  connection.out_sent += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  const bool is_done = connection.out_sent == connection.out.size();
  if (is_done) {
    connection.out.clear();
    connection.out_sent = 0;
  }
  if (is_done == was_partial) watch(index, !is_done, EPOLL_CTL_MOD);
}

void LoadLoop::send_due(const Plan& plan, State& state) {
  const auto now = SteadyClock::now();
  while (!state.resting.empty() && state.resting.front().until <= now) {
    state.idle.push_back(state.resting.front().connection);
    state.resting.pop_front();
  }
  while (!state.idle.empty()) {
    const auto due = state.due(plan, now);
    if (!due || *due > now) return;
    const std::size_t index = state.idle.back();
    state.idle.pop_back();
    Connection& connection = connections_[index];
    plan.make(state.next++, connection.out);
    connection.since = plan.interval.count() == 0 ? SteadyClock::now() : *due;
    ++state.waiting;
    flush(index);
  }
}

void LoadLoop::wait_for_events(const Plan& plan, State& state) {
  const auto now = SteadyClock::now();
  nanoseconds pause = kSilenceMax;
  const auto due = state.idle.empty() ? std::nullopt : state.due(plan, now);
  if (due) pause = std::min<nanoseconds>(pause, *due - now);
  if (!state.resting.empty()) {
    pause = std::min<nanoseconds>(pause, state.resting.front().until - now);
  }
  pause = std::max(pause, nanoseconds(0));
  const timespec timeout{pause.count() / 1'000'000'000, pause.count() % 1'000'000'000};
  std::array<epoll_event, 64> events{};
  const int count =
      ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (count < 0 && errno != EINTR) fail("epoll_pwait2 failed");
  if (count == 0 && pause == kSilenceMax) fail("the server has been silent for too long");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events.at(static_cast<std::size_t>(i));
    const std::size_t index = event.data.u64;
    if ((event.events & EPOLLOUT) != 0 && !connections_[index].out.empty()) flush(index);
    if ((event.events & ~EPOLLOUT) != 0) receive(plan, state, index);
  }
}

void LoadLoop::receive(const Plan& plan, State& state, std::size_t index) {
  Connection& connection = connections_[index];
  const ssize_t got = ::recv(connection.file, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) fail("the server closed a connection");
  connection.in.append(buffer_.data(), static_cast<std::size_t>(got));
  const auto whole = whole_answer(connection.in);
  if (!whole) return;
  const auto now = SteadyClock::now();
  state.run.latencies.push_back(static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now - connection.since).count()));
  ++state.run.answers;
  --state.waiting;
  const bool rests = plan.take(whole->answer) && plan.interval.count() == 0;
  connection.in.erase(0, whole->bytes);
  if (whole->closes) connect(index);
  if (rests) {
    state.resting.push_back({now + kRest, index});
  } else {
    state.idle.push_back(index);
  }
}

Run LoadLoop::run(const Plan& plan) {
  State state;
  for (std::size_t i = 0; i < connections_.size(); ++i) state.idle.push_back(i);
  while (state.waiting > 0 || state.due(plan, SteadyClock::now())) {
    send_due(plan, state);
    wait_for_events(plan, state);
  }
  state.run.took = SteadyClock::now() - state.begin;
  if (plan.interval.count() > 0) {
    const auto due =
        static_cast<std::uint64_t>((plan.time + plan.interval - nanoseconds(1)) / plan.interval);
    state.run.missed = std::min(due, plan.requests_max) - std::min(state.next, due);
  }
  return std::move(state.run);
}

}  // namespace daybook::benchmarks
