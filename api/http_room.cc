#include "api/http_room.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "api/http_session.h"

namespace daybook::api {
namespace {

constexpr std::size_t kSmallAnswer = 16'384;
constexpr std::uint64_t kSmallBody = 65'536;
constexpr std::size_t kBodyStepMin = 4'096;
constexpr std::size_t kBodyStepMax = 65'536;
// Once room is short: a reader has this long, and must be this fast from then on.
constexpr std::chrono::milliseconds kReaderGrace{1'000};
constexpr std::size_t kReaderBytesPerSecond = 65'536;

}  // namespace

BodyReservation::BodyReservation(HttpCore& core, std::uint64_t announced)
    : core_(core),
      limit_(announced <= kSmallBody ? core.config.max_body_bytes_in_flight
                                     : core.config.max_body_bytes_in_flight / 4 * 3) {}

BodyReservation::~BodyReservation() {
  if (bytes_ > 0) core_.body_bytes.fetch_sub(bytes_);
}

bool BodyReservation::fits(std::uint64_t bytes) const {
  const std::uint64_t others = core_.body_bytes.load() - bytes_;
  return others <= limit_ && bytes <= limit_ - others;
}

bool BodyReservation::grow_to(std::uint64_t bytes) {
  if (bytes <= bytes_) return true;
  const std::uint64_t more = bytes - bytes_;
  if (core_.body_bytes.fetch_add(more) + more > limit_) {
    core_.body_bytes.fetch_sub(more);
    return false;
  }
  bytes_ = bytes;
  return true;
}

bool AnswerReservation::hold(std::size_t bytes, Clock::time_point now) {
  release();
  bytes_ = bytes;
  since_ = moved_ = now;
  core_.answer_bytes.fetch_add(bytes_);
  return fits();
}

bool AnswerReservation::fits() const {
  return bytes_ <= kSmallAnswer ||
         core_.answer_bytes.load() <= core_.config.max_answer_bytes_in_flight;
}

bool AnswerReservation::is_slow(std::size_t sent, Clock::time_point now) const {
  if (bytes_ == 0) return false;
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - since_);
  const auto due = static_cast<std::uint64_t>(waited.count()) * kReaderBytesPerSecond / 1000;
  return now - moved_ >= kReaderGrace || (waited >= kReaderGrace && sent < due);
}

void AnswerReservation::release() {
  if (bytes_ > 0) core_.answer_bytes.fetch_sub(bytes_);
  bytes_ = 0;
}

void HttpWorker::make_room() {
  constexpr std::chrono::milliseconds kBetween{100};
  const auto now = std::chrono::steady_clock::now();
  if (now < room_made + kBetween) return;
  room_made = now;
  for (const std::shared_ptr<HttpSession>& session : sessions) session->give_room(now);
}

std::chrono::milliseconds body_allowance(const HttpServerConfig& config, std::uint64_t received) {
  const std::uint64_t rate = std::max<std::uint64_t>(config.body_bytes_per_second, 1);
  const std::chrono::milliseconds earned(received * 1000 / rate);
  return std::min(config.body_deadline, config.body_grace + earned);
}

std::size_t body_step(std::size_t received) {
  return std::clamp(received, kBodyStepMin, kBodyStepMax);
}

}  // namespace daybook::api
