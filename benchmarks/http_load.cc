// Charges over HTTP in a closed loop: each connection sends its next request when it has the answer
// to the last one. One thread, epoll, keep-alive. Any server that answers 2xx will do.
//
//   http_load PORT KEY_FILE [SECONDS=5] [CONNECTIONS=64] [ACCOUNTS=1000] [RUNS=3]
//
// Opens the accounts first, unmeasured. Prints one JSON object: requests/s (median of the runs) and
// the latencies of that run in microseconds.

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kAnswerBytesMax = std::size_t{64} * 1024;
constexpr std::chrono::seconds kSilenceMax{10};

struct Options {
  std::uint16_t port = 0;
  std::string key;
  std::chrono::seconds time{5};
  std::size_t connections = 64;
  std::size_t accounts = 1'000;
  std::size_t runs = 3;
};

struct Connection {
  int file = -1;
  std::string answer;
  SteadyClock::time_point sent;
};

struct Run {
  std::uint64_t answers = 0;
  std::uint64_t microseconds = 0;
  std::vector<std::uint32_t> latencies;  ///< Microseconds.
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

/// Bytes of the first answer in `text`, 0 while it is incomplete. Knows Content-Length alone.
std::size_t answer_size(std::string_view text) {
  const std::size_t head = text.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  if (!text.starts_with("HTTP/1.1 2")) fail("answered: " + std::string(text.substr(0, 300)));
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = text.find(kLength);
  if (at > head) fail("an answer without Content-Length");
  std::size_t length = 0;
  const char* digits = text.data() + at + kLength.size();
  std::from_chars(digits, text.data() + head, length);
  const std::size_t size = head + 4 + length;
  return text.size() >= size ? size : 0;
}

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), epoll_(::epoll_create1(0)) {
    if (epoll_ < 0) fail("epoll_create1 failed");
    for (std::size_t i = 0; i < options_.connections; ++i) connect_one(i);
    // Keys and accounts of another start of this program on the same ledger stay different.
    prefix_ = std::to_string(SteadyClock::now().time_since_epoch().count()) + "-";
  }
  ~Load() {
    for (const Connection& connection : connections_) ::close(connection.file);
    ::close(epoll_);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void open_accounts() {
    run([this](std::uint64_t n) { return n < options_.accounts; },
        [this](std::uint64_t n) {
          return request("/v1/accounts", R"({"id":")" + account(n) + R"(","currency":"USD"})");
        });
  }

  Run charge() {
    const auto end = SteadyClock::now() + options_.time;
    return run([end](std::uint64_t) { return SteadyClock::now() < end; },
               [this](std::uint64_t n) {
                 return request(
                     "/v1/accounts/" + account(n % options_.accounts) + "/charges",
                     R"({"amount":{"amount":"0.0042","currency":"USD"},"enforce":"record"})");
               });
  }

 private:
  std::string account(std::uint64_t n) const { return "load-" + prefix_ + std::to_string(n); }

  std::string request(const std::string& path, const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " +
           options_.key + "\r\nIdempotency-Key: " + prefix_ + std::to_string(++keys_) +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }

  void connect_one(std::size_t index) {
    Connection connection;
    connection.file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(connection.file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets interface
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(connection.file, where, sizeof address) != 0) fail("nothing serves on the port");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.file, &event) != 0) fail("epoll_ctl failed");
    connections_.push_back(std::move(connection));
  }

  /// Requests are far smaller than a socket's buffer, so that a blocking send does not block.
  static void send(Connection& connection, const std::string& bytes) {
    connection.sent = SteadyClock::now();
    const ssize_t sent = ::send(connection.file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(bytes.size())) fail("a request could not be sent");
  }

  /// True if a whole answer came.
  bool receive(Connection& connection) {
    const ssize_t got = ::recv(connection.file, bytes_.data(), bytes_.size(), MSG_DONTWAIT);
    if (got <= 0) fail("the server closed a connection");
    connection.answer.append(bytes_.data(), static_cast<std::size_t>(got));
    if (connection.answer.size() > kAnswerBytesMax) fail("an answer is too long");
    const std::size_t size = answer_size(connection.answer);
    if (size == 0) return false;
    connection.answer.erase(0, size);
    return true;
  }

  /// Sends what `make` gives for 0, 1, 2, … while `more` says so, then waits for the last answers.
  template <class More, class Make>
  Run run(const More& more, const Make& make) {
    Run result;
    const auto begin = SteadyClock::now();
    std::uint64_t next = 0;
    std::size_t waiting = 0;
    for (Connection& connection : connections_) {
      if (!more(next)) break;
      send(connection, make(next++));
      ++waiting;
    }
    std::array<epoll_event, 64> events{};
    while (waiting > 0) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                     static_cast<int>(kSilenceMax.count() * 1'000));
      if (count <= 0) fail("the server has been silent for too long");
      for (int i = 0; i < count; ++i) {
        Connection& connection = connections_[events.at(static_cast<std::size_t>(i)).data.u64];
        if (!receive(connection)) continue;
        const auto took = SteadyClock::now() - connection.sent;
        result.latencies.push_back(static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
        ++result.answers;
        if (more(next)) {
          send(connection, make(next++));
        } else {
          --waiting;
        }
      }
    }
    result.microseconds = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begin).count());
    return result;
  }

  Options options_;
  int epoll_;
  std::array<char, 16'384> bytes_{};
  std::vector<Connection> connections_;
  std::string prefix_;
  std::uint64_t keys_ = 0;
};

std::uint64_t rate(const Run& run) { return run.answers * 1'000'000 / run.microseconds; }

void print(std::vector<Run> runs, const Options& options) {
  std::sort(runs.begin(), runs.end(),
            [](const Run& left, const Run& right) { return rate(left) < rate(right); });
  Run& median = runs[runs.size() / 2];
  std::sort(median.latencies.begin(), median.latencies.end());
  const auto percentile = [&median](std::size_t hundredths) {
    return median.latencies[(median.latencies.size() - 1) * hundredths / 10'000];
  };
  std::cout << "{\"connections\":" << options.connections
            << ",\"requests_per_second\":" << rate(median) << ",\"p50_us\":" << percentile(5'000)
            << ",\"p99_us\":" << percentile(9'900) << ",\"max_us\":" << percentile(10'000)
            << ",\"runs\":" << runs.size() << "}\n";
}

Options read_options(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2)
    fail("usage: http_load PORT KEY_FILE [SECONDS [CONNECTIONS [ACCOUNTS [RUNS]]]]");
  const auto number = [&arguments](std::size_t index, std::size_t otherwise) {
    return arguments.size() > index ? std::stoul(arguments[index]) : otherwise;
  };
  Options options;
  options.port = static_cast<std::uint16_t>(number(0, 0));
  std::ifstream file(arguments[1]);
  if (!std::getline(file, options.key)) fail("the key file cannot be read");
  options.time = std::chrono::seconds(number(2, 5));
  options.connections = std::max(number(3, options.connections), 1UL);
  options.accounts = std::max(number(4, options.accounts), 1UL);
  options.runs = std::max(number(5, options.runs), 1UL);
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = read_options({argv + 1, argv + argc});
    Load load(options);
    load.open_accounts();
    std::vector<Run> runs;
    for (std::size_t i = 0; i < options.runs; ++i) runs.push_back(load.charge());
    print(std::move(runs), options);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "http_load: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
