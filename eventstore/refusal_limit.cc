#include "eventstore/refusal_limit.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace daybook::eventstore {
namespace {

/// One refusal, in millionths: what a bucket gains in a microsecond is then its rate per second.
constexpr std::int64_t kRefusal = 1'000'000;

}  // namespace

RefusalLimit::RefusalLimit(RefusalLimits limits)
    : full_(kRefusal * limits.burst),
      per_second_(limits.per_second),
      fill_micros_(limits.per_second == 0 ? std::numeric_limits<std::int64_t>::max()
                                          : (full_ + per_second_ - 1) / per_second_),
      accounts_max_(limits.accounts_max) {}

bool RefusalLimit::take(const std::string& account, Instant now) {
  forget_full(now);
  Bucket* const bucket = bucket_of(account, now);
  if (bucket == nullptr) return false;
  const std::int64_t elapsed = std::max<std::int64_t>(now.micros - bucket->refilled_at.micros, 0);
  // Compared before it is multiplied, so that no pause is too long.
  bucket->credit =
      elapsed >= fill_micros_ ? full_ : std::min(full_, bucket->credit + elapsed * per_second_);
  bucket->refilled_at = now;
  if (bucket->credit < kRefusal) return false;
  bucket->credit -= kRefusal;
  return true;
}

RefusalLimit::Bucket* RefusalLimit::bucket_of(const std::string& account, Instant now) {
  if (const auto found = young_.find(account); found != young_.end()) return &found->second;
  Bucket bucket{full_, now};
  if (const auto found = old_.find(account); found != old_.end()) {
    bucket = found->second;
    old_.erase(found);
  } else if (young_.size() + old_.size() >= accounts_max_) {
    return nullptr;
  }
  return &young_.emplace(account, bucket).first->second;
}

void RefusalLimit::forget_full(Instant now) {
  if (now < young_since_) young_since_ = now;
  if (now.micros - young_since_.micros < fill_micros_) return;
  // What is in old_ was not used since then: it has had the time to fill.
  old_ = std::exchange(young_, {});
  young_since_ = now;
}

}  // namespace daybook::eventstore
