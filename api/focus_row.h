#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "api/focus_csv.h"

namespace daybook::api {

/// A field as read, without its quotes, and the physical line on which it begins.
struct FocusField {
  std::string_view text;
  std::uint64_t line = 0;
};

/// Turns the fields of a row into a FocusRow: the meaning of the columns, without the CSV grammar.
/// Thread rule: one thread at a time; it counts equal rows.
class FocusRowBuilder {
 public:
  /// Reads the header. REQUIRES: not empty. kInvalid: a required column missing, a name twice,
  /// empty, too long, not UTF-8 or beginning with `tag.`, too many columns.
  static Result<FocusRowBuilder> from_header(const std::vector<FocusField>& names);

  /// REQUIRES: `fields` is not empty. `field_count` is the number of fields of the row; those
  /// beyond the header's last need not be in `fields`.
  std::variant<FocusRow, FocusRowError> build(const std::vector<FocusField>& fields,
                                              std::size_t field_count);

  /// The name of a column by its place; `#<number>` beyond the last.
  std::string column_name(std::size_t place) const;
  std::size_t column_count() const { return names_.size(); }

 private:
  FocusRowBuilder() = default;

  enum class Role : std::uint8_t {
    kAttribute,
    kBilledCost,
    kBillingAccountId,
    kBillingCurrency,
    kChargePeriodStart,
    kChargeDescription,
    kServiceName,
    kTags,
  };
  struct RoleName;
  static const std::array<RoleName, 7> kRoles;

  using RowHash = std::array<std::uint64_t, 2>;
  struct RowHashHash {
    std::size_t operator()(const RowHash& hash) const noexcept { return hash[0]; }
  };

  /// Reads one field into the row; gives what is wrong with it.
  std::optional<std::string> read_field(std::size_t place, std::string_view text, FocusRow& row);
  std::optional<std::string> add_attribute(std::string name, std::string_view value, FocusRow& row);
  std::optional<std::string> add_tags(std::string_view text, FocusRow& row);
  std::string key_of(const std::vector<FocusField>& fields);

  std::vector<std::string> names_;
  std::vector<Role> roles_;
  std::vector<std::size_t> by_name_;  ///< places of the columns in the order of their names
  std::size_t attribute_bytes_ = 0;   ///< of the row being built
  std::string framed_;                ///< kept for its capacity
  std::unordered_map<RowHash, std::uint32_t, RowHashHash> seen_;
};

}  // namespace daybook::api
