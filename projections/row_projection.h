#pragma once

#include <cstdint>
#include <string_view>

#include "projections/projection.h"
#include "projections/row_cache.h"

namespace daybook::projections {

/// A projection that changes rows in a cache and puts each once at the end of a batch; what is left
/// to the derived class is apply(). `Row` as for RowCache.
template <class Row>
class RowProjection : public Projection {
 public:
  std::string_view name() const final { return name_; }
  std::uint32_t code_version() const final { return code_version_; }
  eventstore::Table table() const final { return table_; }
  Status finish(eventstore::KvBatch& batch) final {
    rows_.finish(batch);
    return {};
  }
  std::size_t changed_bytes() const final { return rows_.changed_bytes(); }
  void reset() final { rows_.clear(); }

 protected:
  /// The name lives as long as the program.
  RowProjection(std::string_view name, std::uint32_t code_version, const eventstore::KvStore& store,
                eventstore::Table table)
      : name_(name), code_version_(code_version), table_(table), rows_(store, table) {}

  RowCache<Row>& rows() { return rows_; }

 private:
  std::string_view name_;
  std::uint32_t code_version_;
  eventstore::Table table_;
  RowCache<Row> rows_;
};

}  // namespace daybook::projections
