#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/damage/ledger.h"

namespace daybook::damage {

/// One fault.
struct Mutation {
  enum class Kind { kBit, kCut, kAppend, kZero, kDelete, kSwap, kOlder, kDeleteDirectory };

  const Image* image = nullptr;
  Kind kind = Kind::kBit;
  std::string file;
  std::string other;     ///< kSwap.
  std::uint64_t at = 0;  ///< kBit: which; kCut: length; kAppend: the byte; kOlder: which.

  /// `killed/log/000009.log:bit:123`: what --only takes.
  std::string name() const;
  /// The files that are not as they were, with what they hold now; none: gone.
  std::vector<std::pair<std::string, std::optional<std::string>>> changes() const;
};

const char* name_of(Mutation::Kind kind);

/// `log sst`, `proj manifest`, `watermark`, ...: what the totals are counted by.
std::string class_of(const std::string& file);

/// All faults of one kind on one file, in order.
struct Mutations {
  const Image* image = nullptr;
  Mutation::Kind kind = Mutation::Kind::kBit;
  std::string file;
  std::vector<std::string> others;  ///< kSwap.
  std::uint64_t count = 0;
  std::uint64_t stride = 1;  ///< Of the bits and lengths every how many-th is tried.

  std::uint64_t tried() const { return (count + stride - 1) / stride; }
  Mutation at(std::uint64_t number) const;
};

/// Every bit, length, deletion, swap and older version; of bits and lengths one in `stride`. A
/// store that is the same in two images is damaged in the first one only. `unread`: files that no
/// opening reads any byte of; of their bits and lengths one in `kUnreadStride` is tried, or fewer.
inline constexpr std::uint64_t kUnreadStride = 509;
std::vector<Mutations> all_mutations(const Ledger& ledger, const std::set<std::string>& unread,
                                     std::uint64_t stride);

/// From its name. None: there is no such.
std::optional<Mutation> find_mutation(const Ledger& ledger, const std::string& name);

}  // namespace daybook::damage
