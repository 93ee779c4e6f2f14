#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What `daybook bench` charges: which account comes next, and under which idempotency key. All of
/// it is the same in every run of the program.
namespace daybook::app {

enum class BenchAccounts {
  kUniform,  ///< Each account is as likely as any other.
  kZipf,     ///< The n-th account has a weight of n^-0.99, as in YCSB.
  kHot,      ///< One account takes all.
};

enum class BenchKeys {
  kOrdered,  ///< Ascending, so that look-ups and index rows are near those of the charge before.
  kRandom,   ///< 16 hexadecimal digits without order.
};

/// "uniform", "zipf", "hot"; "ordered", "random". Nothing: another text.
std::optional<BenchAccounts> parse_bench_accounts(std::string_view text);
std::optional<BenchKeys> parse_bench_keys(std::string_view text);
std::string_view to_text(BenchAccounts accounts);
std::string_view to_text(BenchKeys keys);

/// A fixed bijection of 64 bits in which no order is left (the finaliser of SplitMix64, Steele et
/// al. 2014).
std::uint64_t mixed(std::uint64_t number);

/// Draws accounts 0, 1, … `accounts` - 1. REQUIRES: accounts > 0. Thread rule: one thread.
class AccountPicker {
 public:
  AccountPicker(BenchAccounts distribution, std::size_t accounts);

  std::size_t next();

 private:
  BenchAccounts distribution_;
  std::size_t accounts_;
  std::uint64_t drawn_ = 0;
  std::vector<std::uint64_t> bounds_;  ///< Zipf: account i has the draws below bounds_[i].
};

/// The key of the `number`-th charge of a run that began at `position`. No two runs on a ledger
/// that recorded anything begin at one position, so that no key comes twice. REQUIRES: position
/// < 2^36, number < 2^28.
std::string bench_key(BenchKeys keys, std::uint64_t position, std::uint64_t number);

}  // namespace daybook::app
