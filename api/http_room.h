#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "api/http_server.h"

/// Memory that all connections share: bodies that come in, and answers that wait for their reader.
namespace daybook::api {

struct HttpCore;

/// What one body takes of what all bodies in flight may take. It grows with the bytes that come:
/// what is only announced takes nothing from others. The last quarter is for small bodies: whoever
/// fills the rest with large ones keeps nobody from sending a command.
class BodyReservation {
 public:
  BodyReservation(HttpCore& core, std::uint64_t announced);
  BodyReservation(const BodyReservation&) = delete;
  BodyReservation& operator=(const BodyReservation&) = delete;
  BodyReservation(BodyReservation&&) = delete;
  BodyReservation& operator=(BodyReservation&&) = delete;
  ~BodyReservation();

  /// Whether so much would fit now.
  bool fits(std::uint64_t bytes) const;
  /// False: there is no room, and nothing changed.
  bool grow_to(std::uint64_t bytes);

 private:
  HttpCore& core_;
  const std::uint64_t limit_;
  std::uint64_t bytes_ = 0;
};

/// What one answer takes that did not fit its socket. One thread, that of its connection.
class AnswerReservation {
 public:
  using Clock = std::chrono::steady_clock;

  explicit AnswerReservation(HttpCore& core) : core_(core) {}
  AnswerReservation(const AnswerReservation&) = delete;
  AnswerReservation& operator=(const AnswerReservation&) = delete;
  AnswerReservation(AnswerReservation&&) = delete;
  AnswerReservation& operator=(AnswerReservation&&) = delete;
  ~AnswerReservation() { release(); }

  /// True: there is room for it, as there is for every small one.
  bool hold(std::size_t bytes, Clock::time_point now);
  bool fits() const;
  /// The reader took something.
  void moved(Clock::time_point now) { moved_ = now; }
  /// Whether it waits for a reader who takes too little, or nothing for too long.
  bool is_slow(std::size_t sent, Clock::time_point now) const;
  void release();

 private:
  HttpCore& core_;
  std::size_t bytes_ = 0;
  Clock::time_point since_;
  Clock::time_point moved_;
};

/// How long after its first wait a body may take, of which `received` bytes came: the total, or
/// when it would fall below the minimum rate.
std::chrono::milliseconds body_allowance(const HttpServerConfig& config, std::uint64_t received);

/// How many bytes of a body to make room for next: little for a client that has sent little.
std::size_t body_step(std::size_t received);

}  // namespace daybook::api
