#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// HTTP/1.1 requests over keep-alive connections to 127.0.0.1: one thread, epoll.
namespace daybook::benchmarks {

using SteadyClock = std::chrono::steady_clock;

/// What an answer says.
struct Answered {
  int status = 0;
  std::string_view body;
};

/// What is sent, and when.
struct Plan {
  /// Appends the n-th request (0, 1, …), whole.
  std::function<void(std::uint64_t n, std::string& bytes)> make;
  /// Told each answer; true: the server said "later", so that this connection rests for a moment
  /// (closed loop only).
  std::function<bool(const Answered& answer)> take;
  std::uint64_t requests_max = UINT64_MAX;
  std::chrono::nanoseconds time{std::chrono::hours(1)};
  /// 0: closed loop, each connection sends its next request when it has its answer. Otherwise open
  /// loop: the n-th request is due n intervals after the beginning, whatever the server does, and
  /// its latency counts from then, so that a stall is in the latency of all that it held up.
  std::chrono::nanoseconds interval{0};
};

struct Run {
  std::uint64_t answers = 0;
  std::uint64_t missed = 0;  ///< Open loop: due, and not sent when the grace time was over.
  std::chrono::nanoseconds took{};
  std::vector<std::uint32_t> latencies;  ///< Microseconds, in the order of the answers.
};

/// Thread rule: one thread. Errors are exceptions (std::runtime_error): a connection that closes,
/// an answer without Content-Length, silence for more than 30 s.
class LoadLoop {
 public:
  LoadLoop(std::uint16_t port, std::size_t connections);
  ~LoadLoop();
  LoadLoop(const LoadLoop&) = delete;
  LoadLoop& operator=(const LoadLoop&) = delete;

  /// Runs the plan, then waits for the last answers.
  Run run(const Plan& plan);

 private:
  struct Connection {
    int file = -1;
    std::string out;
    std::size_t out_sent = 0;
    std::string in;
    SteadyClock::time_point since;  ///< From when the latency counts.
  };
  struct Resting {
    SteadyClock::time_point until;
    std::size_t connection = 0;
  };
  struct State;

  void connect(std::size_t index);
  void send_due(const Plan& plan, State& state);
  void wait_for_events(const Plan& plan, State& state);
  void flush(std::size_t index);
  void watch(std::size_t index, bool writable, int operation) const;
  void receive(const Plan& plan, State& state, std::size_t index);

  std::uint16_t port_;
  int epoll_;
  std::vector<char> buffer_;
  std::vector<Connection> connections_;
};

}  // namespace daybook::benchmarks
