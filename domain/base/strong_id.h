#pragma once

#include <compare>
#include <string>
#include <utility>

namespace daybook {

/// A string that cannot be passed where another kind of id is meant. Tag is never defined.
template <class Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string value) : value_(std::move(value)) {}

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }

  auto operator<=>(const StrongId&) const = default;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(value_);
  }

 private:
  std::string value_;
};

using TenantId = StrongId<struct TenantIdTag>;
using AccountId = StrongId<struct AccountIdTag>;

}  // namespace daybook
