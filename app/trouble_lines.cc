#include "app/trouble_lines.h"

#include <algorithm>
#include <string>
#include <utility>

#include "domain/base/utf8.h"
#include "eventstore/digest.h"
#include "eventstore/json_text.h"

namespace daybook::app {
namespace {

constexpr std::int64_t kLineMicros = 1'000'000 / TroubleLines::kPerSecond;
constexpr std::int64_t kFullMicros = TroubleLines::kBurst * kLineMicros;

/// JSON takes UTF-8 alone; an error may quote any bytes.
std::string printable(std::string_view text) {
  std::string cut(text.substr(0, TroubleLines::kCauseBytesMax));
  return is_utf8(cut) ? cut : "bytes " + eventstore::to_hex(cut);
}

}  // namespace

std::int64_t TroubleLines::take_turn() {
  const std::lock_guard lock(mutex_);
  const Instant now = clock_.now();
  if (filled_at_.micros != INT64_MIN) {
    const std::int64_t elapsed = std::max<std::int64_t>(0, now.micros - filled_at_.micros);
    credit_micros_ = std::min(kFullMicros, credit_micros_ + std::min(elapsed, kFullMicros));
  }
  filled_at_ = now;
  if (credit_micros_ < kLineMicros) {
    ++left_out_;
    return -1;
  }
  credit_micros_ -= kLineMicros;
  return std::exchange(left_out_, 0);
}

void TroubleLines::failed(std::string_view what, const Status& cause, std::string_view request_id) {
  const std::int64_t left_out = take_turn();
  if (left_out < 0) return;
  eventstore::JsonObject fields;
  fields.string("what", what);
  if (!cause.ok()) fields.string("cause", printable(cause.message()));
  if (!request_id.empty()) fields.string("request_id", printable(request_id));
  if (left_out > 0) fields.number("left_out", static_cast<std::uint64_t>(left_out));
  lines_.write(MessageLevel::kError, "failure", std::move(fields));
}

void TroubleLines::repaired(std::string_view found) {
  const std::int64_t left_out = take_turn();
  if (left_out < 0) return;
  eventstore::JsonObject fields;
  fields.string("found", printable(found));
  if (left_out > 0) fields.number("left_out", static_cast<std::uint64_t>(left_out));
  lines_.write(MessageLevel::kWarning, "repaired", std::move(fields));
}

}  // namespace daybook::app
