#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace daybook::api {

/// Counters and gauges in Prometheus' text form. Names carry their unit; labels are route patterns
/// and statuses, never an account. Any thread.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void count_request(std::string_view method, std::string_view route, int status);
  void set_gauge(const std::string& name, const std::string& help, const std::string& label,
                 const std::string& label_value, std::uint64_t value);

  /// A total that somebody else counts; it never goes back.
  void set_counter(const std::string& name, const std::string& help, std::uint64_t total);

  /// The text exposition format, version 0.0.4.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook::api
