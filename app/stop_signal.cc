#include "app/stop_signal.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/line_writer.h"
#include "domain/base/check.h"

namespace daybook::app {
namespace {

constexpr int kFailedStatus = 1;

}  // namespace

struct StopSignal::State {
  void watch();
  bool wait_for_signal();
  void decide(Reason why);
  void wake() const {
    const std::uint64_t one = 1;
    // The counter is far from its maximum, so this neither blocks nor fails.
    CHECK(::write(event_file, &one, sizeof one) == sizeof one);
  }

  int signal_file = -1;
  int event_file = -1;
  std::atomic<bool> at_once{false};
  std::atomic<bool> failed{false};
  std::atomic<bool> done{false};
  std::mutex mutex;
  std::condition_variable decided;
  std::optional<Reason> reason;  ///< Guarded by mutex.
  std::thread watcher;
};

/// Waits for a signal, a failure or the end; false: it is the end.
bool StopSignal::State::wait_for_signal() {
  std::array<pollfd, 2> files = {{{signal_file, POLLIN, 0}, {event_file, POLLIN, 0}}};
  while (true) {
    if (done.load()) return false;
    if (failed.load()) {
      decide(Reason::kFailed);
      return true;
    }
    if (::poll(files.data(), files.size(), -1) < 0) continue;
    if ((files[1].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      static_cast<void>(::read(event_file, &count, sizeof count) > 0);
    }
    if ((files[0].revents & POLLIN) != 0) {
      signalfd_siginfo info{};
      static_cast<void>(::read(signal_file, &info, sizeof info) > 0);
      if (at_once.load()) std::_Exit(0);
      decide(Reason::kAsked);
      return true;
    }
  }
}

void StopSignal::State::decide(Reason why) {
  {
    const std::lock_guard lock(mutex);
    reason = why;
  }
  decided.notify_all();
}

void StopSignal::State::watch() {
  if (!wait_for_signal()) return;
  const auto now = std::chrono::steady_clock::now();
  const auto deadline = now + (failed.load() ? kFailedTime : kAskedTime);
  pollfd file = {event_file, POLLIN, 0};
  while (!done.load()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      say_at_once("daybook: did not end in time and is ended\n");
      std::_Exit(kFailedStatus);
    }
    if (::poll(&file, 1, static_cast<int>(left.count())) > 0) {
      std::uint64_t count = 0;
      static_cast<void>(::read(event_file, &count, sizeof count) > 0);
    }
  }
}

StopSignal::StopSignal() : state_(std::make_unique<State>()) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // A terminal that went away, unless nohup said that this is no reason.
  struct sigaction hang_up = {};
  CHECK(::sigaction(SIGHUP, nullptr, &hang_up) == 0);
  if (hang_up.sa_handler != SIG_IGN) sigaddset(&signals, SIGHUP);
  CHECK(::pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  state_->signal_file = ::signalfd(-1, &signals, SFD_CLOEXEC);
  state_->event_file = ::eventfd(0, EFD_CLOEXEC);
  CHECK(state_->signal_file >= 0 && state_->event_file >= 0);
  state_->watcher = std::thread([state = state_.get()] { state->watch(); });
}

StopSignal::~StopSignal() {
  state_->done.store(true);
  state_->wake();
  state_->watcher.join();
  ::close(state_->signal_file);
  ::close(state_->event_file);
}

void StopSignal::end_at_once(bool at_once) { state_->at_once.store(at_once); }

void StopSignal::fail() {
  state_->failed.store(true);
  state_->wake();
}

bool StopSignal::stopping() const {
  const std::lock_guard lock(state_->mutex);
  return state_->reason.has_value();
}

StopSignal::Reason StopSignal::wait() {
  std::unique_lock lock(state_->mutex);
  state_->decided.wait(lock, [this] { return state_->reason.has_value(); });
  return state_->reason.value_or(Reason::kAsked);
}

bool StopSignal::wait_for(std::chrono::milliseconds time) {
  std::unique_lock lock(state_->mutex);
  return state_->decided.wait_for(lock, time, [this] { return state_->reason.has_value(); });
}

}  // namespace daybook::app
