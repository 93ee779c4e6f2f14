// Clients that are as slow as they can be, all at once, and what the server did with them. Prints
// one JSON object.
//
//   slow_clients --port PORT --key-file FILE [--NAME VALUE ...]
//
//   seconds       of the run [30]
//   connections   at once; those that the server ends are opened again [5000]
//   interval-ms   between two bytes of a connection [1000]
//   kinds         which of them there are, in turn: header,body,reader [all three]
//   path          what a reader asks for and then takes a byte at a time [/v1/events?limit=1000]
//
// A header never ends, a body goes on one blank at a time, a reader has a receive buffer as small
// as the kernel lets it be.

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

struct Options {
  std::uint16_t port = 0;
  std::string key;
  std::chrono::seconds time{30};
  std::size_t connections = 5'000;
  milliseconds interval{1'000};
  std::vector<std::string> kinds{"header", "body", "reader"};
  std::string path = "/v1/events?limit=1000";
};

/// What became of the connections of one kind.
struct Tally {
  std::string kind;
  std::string opening;  ///< Sent at once.
  std::uint64_t opened = 0;
  std::uint64_t refused = 0;  ///< Could not be opened.
  std::uint64_t ended = 0;    ///< By the server, without an answer.
  std::map<int, std::uint64_t> answers;
  std::int64_t shortest_ms = INT64_MAX;  ///< From its opening to the server's answer or end.
  std::int64_t longest_ms = 0;
};

struct Slow {
  int file = -1;
  Clock::time_point since;
  std::string in;
};

class SlowClients {
 public:
  explicit SlowClients(const Options& options)
      : options_(options), epoll_(::epoll_create1(EPOLL_CLOEXEC)), slow_(options.connections) {
    if (epoll_ < 0) fail("epoll_create1 failed");
    const std::string common =
        " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + options.key + "\r\n";
    for (const std::string& kind : options.kinds) {
      Tally tally;
      tally.kind = kind;
      if (kind == "header") {
        tally.opening = "GET /v1/accounts" + common + "X: ";
      } else if (kind == "body") {
        tally.opening = "POST /v1/accounts" + common +
                        "Idempotency-Key: slow\r\nContent-Type: application/json\r\n"
                        "Content-Length: 60000\r\n\r\n{";
      } else if (kind == "reader") {
        tally.opening = "GET " + options.path + common + "\r\n";
      } else {
        fail("there is no kind \"" + kind + "\"");
      }
      tallies_.push_back(std::move(tally));
    }
  }

  ~SlowClients() {
    for (const Slow& slow : slow_) {
      if (slow.file >= 0) ::close(slow.file);
    }
    ::close(epoll_);
  }
  SlowClients(const SlowClients&) = delete;
  SlowClients& operator=(const SlowClients&) = delete;

  /// Connection after connection acts, evenly over the interval.
  void run() {
    const auto begin = Clock::now();
    const auto step = std::chrono::duration_cast<std::chrono::nanoseconds>(options_.interval) /
                      static_cast<std::int64_t>(slow_.size());
    std::uint64_t acts = 0;
    for (auto now = begin; now < begin + options_.time; now = Clock::now()) {
      while (begin + step * static_cast<std::int64_t>(acts) <= now) act(acts++ % slow_.size());
      const auto next = begin + step * static_cast<std::int64_t>(acts);
      wait(std::chrono::duration_cast<milliseconds>(next - Clock::now()));
    }
  }

  void print() const {
    const auto open =
        std::count_if(slow_.begin(), slow_.end(), [](const Slow& slow) { return slow.file >= 0; });
    std::cout << "{\"connections\":" << slow_.size() << ",\"open_at_the_end\":" << open;
    for (const Tally& tally : tallies_) {
      std::cout << ",\"" << tally.kind << "\":{\"opened\":" << tally.opened
                << ",\"refused\":" << tally.refused << ",\"ended\":" << tally.ended
                << ",\"shortest_ms\":" << (tally.longest_ms == 0 ? 0 : tally.shortest_ms)
                << ",\"longest_ms\":" << tally.longest_ms << ",\"answers\":{";
      const char* comma = "";
      for (const auto& [status, count] : tally.answers) {
        std::cout << comma << '"' << status << "\":" << count;
        comma = ",";
      }
      std::cout << "}}";
    }
    std::cout << "}\n";
  }

 private:
  Tally& tally_of(std::size_t index) { return tallies_[index % tallies_.size()]; }
  bool is_reader(std::size_t index) { return tally_of(index).kind == "reader"; }

  void act(std::size_t index) {
    Slow& slow = slow_[index];
    if (slow.file < 0) return open(index);
    if (is_reader(index)) {
      char byte = 0;
      const ssize_t got = ::recv(slow.file, &byte, 1, MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN)) close(index);
    } else if (::send(slow.file, " ", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN) {
      receive(index);
      if (slow.file >= 0) close(index);
    }
  }

  void open(std::size_t index) {
    Tally& tally = tally_of(index);
    const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0) fail("out of descriptors");
    const int on = 1;
    const int small = 1;
    ::setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (is_reader(index)) ::setsockopt(file, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets interface
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    const std::string& text = tally.opening;
    if (::connect(file, where, sizeof address) != 0 ||
        ::send(file, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
      ++tally.refused;
      ::close(file);
      return;
    }
    ++tally.opened;
    slow_[index] = {file, Clock::now(), {}};
    epoll_event event{};
    event.events = is_reader(index) ? EPOLLERR : EPOLLIN;
    event.data.u64 = index;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, file, &event) != 0) fail("epoll_ctl failed");
  }

  void wait(milliseconds time) {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(std::max<std::int64_t>(time.count(), 1)));
    for (int i = 0; i < count; ++i) receive(events.at(static_cast<std::size_t>(i)).data.u64);
  }

  /// An answer, or the end of the connection.
  void receive(std::size_t index) {
    Slow& slow = slow_[index];
    if (is_reader(index)) return close(index);
    std::array<char, 4096> buffer{};
    const ssize_t got = ::recv(slow.file, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return close(index);
    slow.in.append(buffer.data(), static_cast<std::size_t>(got));
  }

  void close(std::size_t index) {
    Slow& slow = slow_[index];
    Tally& tally = tally_of(index);
    int status = 0;
    if (slow.in.size() > 12) {
      std::from_chars(slow.in.data() + 9, slow.in.data() + 12, status);
      ++tally.answers[status];
    } else {
      ++tally.ended;
    }
    const auto life = std::chrono::duration_cast<milliseconds>(Clock::now() - slow.since).count();
    tally.shortest_ms = std::min(tally.shortest_ms, life);
    tally.longest_ms = std::max(tally.longest_ms, life);
    ::close(slow.file);
    slow.file = -1;
  }

  const Options& options_;
  int epoll_;
  std::vector<Slow> slow_;
  std::vector<Tally> tallies_;
};

Options read_options(const std::vector<std::string>& arguments) {
  if (arguments.size() % 2 != 0) fail("usage: slow_clients --port PORT --key-file FILE");
  std::map<std::string, std::string> given;
  for (std::size_t i = 0; i < arguments.size(); i += 2) given[arguments[i]] = arguments[i + 1];
  const auto text = [&given](const std::string& name, const std::string& otherwise) {
    const auto found = given.extract("--" + name);
    return found.empty() ? otherwise : found.mapped();
  };
  const auto number = [&text](const std::string& name, std::int64_t otherwise) {
    return std::max<std::int64_t>(std::stol(text(name, std::to_string(otherwise))), 1);
  };
  Options options;
  options.port = static_cast<std::uint16_t>(number("port", 0));
  std::ifstream(text("key-file", "")) >> options.key;
  if (options.key.empty()) fail("--key-file is missing or empty");
  options.time = std::chrono::seconds(number("seconds", options.time.count()));
  options.connections = static_cast<std::size_t>(number("connections", 5'000));
  options.interval = milliseconds(number("interval-ms", options.interval.count()));
  options.path = text("path", options.path);
  if (const std::string kinds = text("kinds", ""); !kinds.empty()) {
    options.kinds.clear();
    std::istringstream stream(kinds);
    for (std::string kind; std::getline(stream, kind, ',');) options.kinds.push_back(kind);
  }
  if (!given.empty()) fail("there is no option " + given.begin()->first);
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = read_options({argv + 1, argv + argc});
    SlowClients clients(options);
    clients.run();
    clients.print();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "slow_clients: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
