// Load on an HTTP server, and what it did. Prints one JSON object.
//
//   http_load --port PORT --key-file FILE [--NAME VALUE ...]
//
//   seconds      of the measured run [5]
//   connections  keep-alive connections [64]
//   batch        charges of one request: 1 is POST …/charges, more are POST /v1/batch [1]
//   rate         charges per second, open loop: latency counts from when a request was due, so that
//                a server that stalls does not slow the clock down; 0 is a closed loop [0]
//   accounts     how many are charged, at random [1000]
//   zipf         the n-th of them has a weight of n^-ZIPF: 0 is all alike [0]
//   prefix       they are PREFIX0, PREFIX1, … and exist; without it new ones are opened first
//   get          FILE with a path a line: GET them in turn instead of charging
//
// Without --prefix any server that answers 2xx will do. A 503 is a charge that is refused for now:
// counted, and in a closed loop the connection rests for 50 ms. Any other answer ends the program.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "benchmarks/load_loop.h"

namespace daybook::benchmarks {
namespace {

constexpr std::string_view kCharge =
    R"({"amount":{"amount":"0.0042","currency":"USD"},"enforce":"record"})";

struct Options {
  std::uint16_t port = 0;
  std::string key;
  std::chrono::seconds time{5};
  std::size_t connections = 64;
  std::size_t batch = 1;
  std::uint64_t rate = 0;
  std::size_t accounts = 1'000;
  double zipf = 0;
  std::string prefix;
  std::vector<std::string> paths;
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

/// Makes the requests and counts what became of them.
class Client {
 public:
  explicit Client(const Options& options) : options_(options) {
    // Keys and accounts of another start of this program on the same ledger stay different.
    unique_ = std::to_string(std::chrono::system_clock::now().time_since_epoch().count()) + "-";
    prefix_ = options.prefix.empty() ? "load-" + unique_ : options.prefix;
    std::vector<double> weights;
    for (std::size_t n = 1; n <= options.accounts; ++n) {
      weights.push_back(std::pow(static_cast<double>(n), -options.zipf));
    }
    pick_ = std::discrete_distribution<std::uint64_t>(weights.begin(), weights.end());
  }

  void open_account(std::uint64_t n, std::string& bytes) {
    post("/v1/accounts", R"({"id":")" + account(n) + R"(","currency":"USD"})", bytes);
  }

  void charge(std::string& bytes) {
    if (options_.batch == 1) return post(charges_path(), kCharge, bytes);
    body_ = R"({"commands":[)";
    for (std::size_t i = 0; i < options_.batch; ++i) {
      body_ += i == 0 ? R"({"method":"POST","path":")" : R"(,{"method":"POST","path":")";
      body_ += charges_path();
      body_ += R"(","idempotency_key":")";
      body_ += next_key();
      body_ += R"(","body":)";
      body_ += kCharge;
      body_ += '}';
    }
    body_ += "]}";
    post("/v1/batch", body_, bytes);
  }

  void get(std::uint64_t n, std::string& bytes) const {
    bytes +=
        "GET " + options_.paths[n % options_.paths.size()] + " HTTP/1.1\r\n" + common() + "\r\n";
  }

  /// True if something was refused for now.
  bool take(const Answered& answer) {
    const bool is_batch = options_.batch > 1 && answer.status == 200 && options_.paths.empty();
    const std::uint64_t done = is_batch ? recorded_in(answer.body)
                               : answer.status >= 200 && answer.status < 300 ? 1
                                                                             : 0;
    if (done == 0 && answer.status != 503 && !is_batch) {
      fail("answered " + std::to_string(answer.status) + ": " +
           std::string(answer.body.substr(0, 300)));
    }
    const std::uint64_t asked = options_.paths.empty() && !opening_ ? options_.batch : 1;
    recorded_ += done;
    refused_ += asked - done;
    return done < asked;
  }

  /// Forgets what was counted for the accounts.
  void opened() {
    if (refused_ > 0) fail("an account was refused");
    opening_ = false;
    recorded_ = 0;
  }

  std::uint64_t recorded() const { return recorded_; }
  std::uint64_t refused() const { return refused_; }

 private:
  std::string account(std::uint64_t n) const { return prefix_ + std::to_string(n); }
  std::string charges_path() { return "/v1/accounts/" + account(pick_(random_)) + "/charges"; }
  std::string next_key() { return unique_ + std::to_string(++keys_); }

  std::string common() const {
    return "Host: 127.0.0.1\r\nAuthorization: Bearer " + options_.key + "\r\n";
  }

  void post(std::string_view path, std::string_view body, std::string& bytes) {
    const bool is_batch = path == "/v1/batch";
    bytes += "POST ";
    bytes += path;
    bytes += " HTTP/1.1\r\n" + common();
    if (!is_batch) bytes += "Idempotency-Key: " + next_key() + "\r\n";
    bytes += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\n\r\n";
    bytes += body;
  }

  /// Results of a batch with status 201; all others must be 503.
  static std::uint64_t recorded_in(std::string_view body) {
    constexpr std::string_view kStatus = R"("status":)";
    std::uint64_t recorded = 0;
    while (true) {
      // string_view::find stops at every quotation mark on its way.
      const void* const found = ::memmem(body.data(), body.size(), kStatus.data(), kStatus.size());
      if (found == nullptr) return recorded;
      body.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(found) - body.data()) +
                         kStatus.size());
      if (body.starts_with("201")) {
        ++recorded;
      } else if (!body.starts_with("503")) {
        fail("a command of a batch was answered " + std::string(body.substr(0, 3)));
      }
    }
  }

  const Options& options_;
  std::string unique_;
  std::string prefix_;
  std::string body_;
  std::mt19937_64 random_;  // NOLINT(cert-msc51-cpp): the same accounts in every run
  std::discrete_distribution<std::uint64_t> pick_;
  std::uint64_t keys_ = 0;
  bool opening_ = true;
  std::uint64_t recorded_ = 0;
  std::uint64_t refused_ = 0;
};

void print(Run run, const Client& client, const Options& options) {
  std::sort(run.latencies.begin(), run.latencies.end());
  const auto percentile = [&run](std::size_t per_hundred_thousand) {
    return run.latencies[(run.latencies.size() - 1) * per_hundred_thousand / 100'000];
  };
  const auto micros = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(run.took).count());
  std::cout << "{\"connections\":" << options.connections << ",\"batch\":" << options.batch
            << ",\"offered_per_second\":" << options.rate << ",\"requests\":" << run.answers
            << ",\"requests_per_second\":" << run.answers * 1'000'000 / micros
            << ",\"per_second\":" << client.recorded() * 1'000'000 / micros
            << ",\"refused\":" << client.refused() << ",\"missed_requests\":" << run.missed
            << ",\"p50_us\":" << percentile(50'000) << ",\"p90_us\":" << percentile(90'000)
            << ",\"p99_us\":" << percentile(99'000) << ",\"p999_us\":" << percentile(99'900)
            << ",\"max_us\":" << percentile(100'000) << "}\n";
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (lines.empty()) fail(path + " cannot be read or is empty");
  return lines;
}

Options read_options(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> given;
  if (arguments.size() % 2 != 0)
    fail("usage: http_load --port PORT --key-file FILE [--NAME VALUE]");
  for (std::size_t i = 0; i < arguments.size(); i += 2) given[arguments[i]] = arguments[i + 1];
  const auto text = [&given](const std::string& name) {
    const auto found = given.extract("--" + name);
    return found.empty() ? std::string() : found.mapped();
  };
  const auto number = [&text](const std::string& name, std::uint64_t otherwise) {
    const std::string value = text(name);
    return value.empty() ? otherwise : std::stoul(value);
  };
  Options options;
  options.port = static_cast<std::uint16_t>(number("port", 0));
  options.key = lines_of(text("key-file")).front();
  options.time = std::chrono::seconds(std::max(number("seconds", 5), 1UL));
  options.connections = std::max(number("connections", options.connections), 1UL);
  options.batch = std::max(number("batch", options.batch), 1UL);
  options.rate = number("rate", 0);
  options.accounts = std::max(number("accounts", options.accounts), 1UL);
  const std::string zipf = text("zipf");
  if (!zipf.empty()) options.zipf = std::stod(zipf);
  if (!(options.zipf >= 0)) fail("--zipf must not be negative");
  options.prefix = text("prefix");
  const std::string paths = text("get");
  if (!paths.empty()) options.paths = lines_of(paths);
  if (!given.empty()) fail("there is no option " + given.begin()->first);
  return options;
}

void run(const Options& options) {
  LoadLoop loop(options.port, options.connections);
  Client client(options);
  Plan plan;
  plan.take = [&client](const Answered& answer) { return client.take(answer); };
  const bool charges = options.paths.empty();
  if (charges && options.prefix.empty()) {
    plan.requests_max = options.accounts;
    plan.make = [&client](std::uint64_t n, std::string& bytes) { client.open_account(n, bytes); };
    loop.run(plan);
  }
  client.opened();
  plan.requests_max = UINT64_MAX;
  plan.time = options.time;
  if (options.rate > 0) {
    plan.interval = std::chrono::nanoseconds(1'000'000'000 * options.batch / options.rate);
  }
  plan.make = [&client, charges](std::uint64_t n, std::string& bytes) {
    if (charges) {
      client.charge(bytes);
    } else {
      client.get(n, bytes);
    }
  };
  print(loop.run(plan), client, options);
}

}  // namespace
}  // namespace daybook::benchmarks

int main(int argc, char** argv) {
  try {
    daybook::benchmarks::run(daybook::benchmarks::read_options({argv + 1, argv + argc}));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "http_load: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
