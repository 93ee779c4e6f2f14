#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/base/result.h"
#include "domain/base/time.h"
#include "domain/stream.h"
#include "eventstore/kv.h"
#include "projections/row_projection.h"

namespace daybook::projections {

/// An open hold that ends by itself at `due_at`.
struct DueHold {
  Instant due_at;
  domain::StreamId stream;
  std::uint64_t hold_version = 0;

  bool operator==(const DueHold&) const = default;
};

/// When an open hold is due: the row that leads from the hold to its place in the order.
struct DueTime {
  Instant due_at;
};
std::string encode_row(const DueTime& row);
bool decode_row(std::string_view bytes, DueTime& row);

/// Table `due`, of the open holds with an expiry:
/// `D` + sortable due time + stream_key + version -> nothing (the order of what is due), and
/// `H` + version_key -> due time (to find that row when the hold ends).
class Due final : public RowProjection<DueTime> {
 public:
  Due(const eventstore::KvStore& store, eventstore::Table table)
      : RowProjection("due", 1, store, table) {}

  Status apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) override;

 private:
  Status apply_event(const domain::RecordedEvent& event, eventstore::KvBatch& batch);
};

/// What is due at or before `time`, earliest first, at most `limit`. With the greatest Instant and
/// limit 1: what comes next. REQUIRES: limit > 0. Thread rule: as the reader.
Result<std::vector<DueHold>> due_by(const eventstore::KvReader& reader, eventstore::Table table,
                                    Instant time, std::size_t limit);

}  // namespace daybook::projections
