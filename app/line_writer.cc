#include "app/line_writer.h"

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include "domain/base/time.h"
#include "eventstore/json_text.h"
#include "eventstore/system_ports.h"

namespace daybook::app {
namespace {

/// All of it, or nothing more: a file that fails is no reason to stop or to say so elsewhere.
void write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EAGAIN) {
      pollfd waiting = {file, POLLOUT, 0};
      static_cast<void>(::poll(&waiting, 1, -1));
    } else if (count == 0 || errno != EINTR) {
      return;
    }
  }
}

std::string line_of_lost(std::uint64_t count) {
  return eventstore::JsonObject()
             .number("count", count)
             .string("time", to_rfc3339(eventstore::SystemClock().now()))
             .string("level", "warning")
             .string("event", "lines lost")
             .text() +
         "\n";
}

}  // namespace

struct LineWriter::State {
  explicit State(int to) : file(to) {}

  void run();

  const int file;
  std::mutex mutex;
  std::condition_variable wakes;
  std::condition_variable written;
  // Guarded by mutex.
  std::deque<std::string> lines;
  std::size_t bytes = 0;  ///< Of the lines that wait.
  std::uint64_t lost = 0;
  bool writing = false;
  bool ending = false;

  bool idle() const { return lines.empty() && lost == 0 && !writing; }
};

void LineWriter::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    wakes.wait(lock, [this] { return ending || !lines.empty() || lost > 0; });
    if (lines.empty() && lost == 0) return;
    std::string line;
    if (lines.empty()) {
      line = line_of_lost(std::exchange(lost, 0));
    } else {
      line = std::move(lines.front());
      lines.pop_front();
      bytes -= line.size();
    }
    writing = true;
    lock.unlock();
    write_all(file, line);
    lock.lock();
    writing = false;
    if (idle()) written.notify_all();
  }
}

LineWriter::LineWriter(int file) : state_(std::make_shared<State>(file)) {
  // Nobody can end a write that waits for a reader, so nobody waits for the thread.
  std::thread([state = state_] { state->run(); }).detach();
}

LineWriter::~LineWriter() {
  static_cast<void>(flush(kEndTime));
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
    state_->lines.clear();
    state_->bytes = 0;
    state_->lost = 0;
  }
  state_->wakes.notify_all();
}

void LineWriter::write(std::string line) {
  {
    const std::lock_guard lock(state_->mutex);
    if (line.size() > kBytesMax - state_->bytes) {
      ++state_->lost;
      return;
    }
    state_->bytes += line.size();
    state_->lines.push_back(std::move(line));
  }
  state_->wakes.notify_one();
}

bool LineWriter::flush(std::chrono::milliseconds time) {
  std::unique_lock lock(state_->mutex);
  return state_->written.wait_for(lock, time, [this] { return state_->idle(); });
}

void say_at_once(const std::string& line) {
  pollfd file = {STDERR_FILENO, POLLOUT, 0};
  if (::poll(&file, 1, 0) == 1 && (file.revents & POLLOUT) != 0) {
    static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()) > 0);
  }
}

}  // namespace daybook::app
