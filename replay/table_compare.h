#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/base/result.h"
#include "eventstore/kv.h"

/// Comparing a table of `proj/` with its fold, and saying in words what differs.
namespace daybook::replay {

struct RowDifference {
  std::string key;  ///< Readable.
  std::string expected;
  std::string found;
};

/// The first row in key order that is not the same in both. `rows` counts those looked at,
/// checkpoints not among them. Errors: those of reading.
Result<std::optional<RowDifference>> compare_table(const eventstore::KvReader& expected,
                                                   const eventstore::KvReader& found,
                                                   eventstore::Table table, std::uint64_t& rows);

/// A key of one of the tables of projections/tables.h for a reader: names instead of bytes where
/// the table has them. Any bytes.
std::string readable_key(eventstore::Table table, std::string_view key);

/// A row likewise: what it says where it is short and known, else its bytes.
std::string readable_row(eventstore::Table table, std::string_view key, std::string_view row);

}  // namespace daybook::replay
