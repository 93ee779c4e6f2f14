#include "app/bench_load.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/base/check.h"

namespace daybook::app {
namespace {

constexpr std::array<std::pair<std::string_view, BenchAccounts>, 3> kAccounts = {
    {{"uniform", BenchAccounts::kUniform},
     {"zipf", BenchAccounts::kZipf},
     {"hot", BenchAccounts::kHot}}};
constexpr std::array<std::pair<std::string_view, BenchKeys>, 2> kKeys = {
    {{"ordered", BenchKeys::kOrdered}, {"random", BenchKeys::kRandom}}};
constexpr double kTheta = 0.99;
constexpr unsigned kNumberBits = 28;
constexpr unsigned kPositionBits = 64 - kNumberBits;

template <class Table>
auto value_of(const Table& table, std::string_view text)
    -> std::optional<decltype(table.front().second)> {
  for (const auto& [name, value] : table) {
    if (name == text) return value;
  }
  return std::nullopt;
}

template <class Table, class Value>
std::string_view name_of(const Table& table, Value wanted) {
  for (const auto& [name, value] : table) {
    if (value == wanted) return name;
  }
  CHECK(false);
}

/// Of 2^53 draws, those that belong to the accounts up to each.
std::vector<std::uint64_t> zipf_bounds(std::size_t accounts) {
  std::vector<double> sums;
  sums.reserve(accounts);
  double sum = 0;
  for (std::size_t i = 0; i < accounts; ++i) {
    sum += std::pow(static_cast<double>(i + 1), -kTheta);
    sums.push_back(sum);
  }
  std::vector<std::uint64_t> bounds;
  bounds.reserve(accounts);
  for (const double part : sums) {
    bounds.push_back(static_cast<std::uint64_t>(std::ldexp(part / sum, 53)));
  }
  return bounds;
}

}  // namespace

std::optional<BenchAccounts> parse_bench_accounts(std::string_view text) {
  return value_of(kAccounts, text);
}

std::optional<BenchKeys> parse_bench_keys(std::string_view text) { return value_of(kKeys, text); }

std::string_view to_text(BenchAccounts accounts) { return name_of(kAccounts, accounts); }

std::string_view to_text(BenchKeys keys) { return name_of(kKeys, keys); }

std::uint64_t mixed(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15U;
  number = (number ^ (number >> 30U)) * 0xbf58476d1ce4e5b9U;
  number = (number ^ (number >> 27U)) * 0x94d049bb133111ebU;
  return number ^ (number >> 31U);
}

AccountPicker::AccountPicker(BenchAccounts distribution, std::size_t accounts)
    : distribution_(distribution), accounts_(accounts) {
  CHECK(accounts > 0);
  if (distribution == BenchAccounts::kZipf) bounds_ = zipf_bounds(accounts);
}

std::size_t AccountPicker::next() {
  if (distribution_ == BenchAccounts::kHot) return 0;
  const std::uint64_t draw = mixed(drawn_++) >> 11U;  // 53 bits
  if (distribution_ == BenchAccounts::kUniform) return draw % accounts_;
  const auto at = std::upper_bound(bounds_.begin(), bounds_.end(), draw);
  return std::min(static_cast<std::size_t>(at - bounds_.begin()), accounts_ - 1);
}

std::string bench_key(BenchKeys keys, std::uint64_t position, std::uint64_t number) {
  CHECK(position < std::uint64_t{1} << kPositionBits);
  CHECK(number < std::uint64_t{1} << kNumberBits);
  if (keys == BenchKeys::kOrdered) return std::to_string(position) + "-" + std::to_string(number);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::uint64_t rest = mixed(position << kNumberBits | number);
  std::string text(16, '0');
  for (char& digit : text) {
    digit = kHex[rest & 15U];
    rest >>= 4U;
  }
  return text;
}

}  // namespace daybook::app
