#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace daybook::app {

/// Lines for a file that may take none, as a pipe that nobody reads: they wait in memory for a
/// thread that writes them, and nobody else ever waits for the file. Beyond kBytesMax lines are
/// lost; once the file takes lines again, it gets one that says how many.
///
/// Thread rule: any thread. The end: lines that are not written within kEndTime are given up.
class LineWriter {
 public:
  static constexpr std::size_t kBytesMax = std::size_t{256} << 10;
  static constexpr std::chrono::milliseconds kEndTime{500};

  /// `file` stays open as long as the process.
  explicit LineWriter(int file);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;
  LineWriter(LineWriter&&) = delete;
  LineWriter& operator=(LineWriter&&) = delete;

  /// `line` ends with a newline.
  void write(std::string line);

  /// Waits until all is written or given up; false: it was not, in that time.
  bool flush(std::chrono::milliseconds time);

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< Also the thread's, which may be left behind in a write.
};

/// Last words on stderr if it takes them at once; never waits.
void say_at_once(const std::string& line);

}  // namespace daybook::app
