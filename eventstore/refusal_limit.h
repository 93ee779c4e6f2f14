#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "domain/base/time.h"

namespace daybook::eventstore {

/// How many refusals may be recorded: each is an event that lives as long as the log.
struct RefusalLimits {
  std::uint32_t burst = 200;           ///< Of one account: a bucket of this size ...
  std::uint32_t per_second = 20;       ///< ... that fills at this rate.
  std::size_t accounts_max = 100'000;  ///< With buckets that are not full, remembered at a time.
};

/// One bucket for each account, full until it is first used. A bucket is forgotten when it is full
/// again and not before, so over any time an account has at most `burst` refusals and `per_second`
/// more for each second. While accounts_max accounts are remembered, all others get none.
///
/// Thread rule: one thread. Memory: bounded by accounts_max. Crash: all buckets are full again.
class RefusalLimit {
 public:
  explicit RefusalLimit(RefusalLimits limits);

  /// Takes one from the account's bucket; false: it holds none. A clock that goes back fills
  /// nothing.
  bool take(const std::string& account, Instant now);

 private:
  struct Bucket {
    std::int64_t credit = 0;  ///< Millionths of a refusal.
    Instant refilled_at;
  };
  using Buckets = std::unordered_map<std::string, Bucket>;

  Bucket* bucket_of(const std::string& account, Instant now);
  void forget_full(Instant now);

  std::int64_t full_;
  std::int64_t per_second_;
  std::int64_t fill_micros_;  ///< From empty to full.
  std::size_t accounts_max_;
  Buckets young_;  ///< Used since young_since_.
  Buckets old_;    ///< Not used since then.
  Instant young_since_;
};

}  // namespace daybook::eventstore
