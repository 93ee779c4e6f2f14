#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace daybook::app {

/// A line on stderr that says how far a command is: count, rate and, where the total is known, the
/// time left. Silent where stderr is no terminal. Thread rule: one thread at a time.
class Progress {
 public:
  /// `total` 0: not known.
  Progress(std::string what, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;

  /// Cheap: prints at most ten times a second.
  void update(std::uint64_t done);
  /// Takes the line away, so that other words may follow.
  void clear();

 private:
  using SteadyClock = std::chrono::steady_clock;

  std::string what_;
  std::uint64_t total_;
  bool terminal_;
  bool shown_ = false;
  SteadyClock::time_point began_;
  SteadyClock::time_point printed_;
};

/// `12,345 rows, 4,115/s, 0:07 left`: what a progress line says. `total` 0: not known.
std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                          std::chrono::milliseconds elapsed);

/// 1234567 as "1,234,567".
std::string with_commas(std::uint64_t number);

}  // namespace daybook::app
