#pragma once

#include <memory>
#include <vector>

#include "eventstore/key_filter.h"
#include "eventstore/kv.h"
#include "projections/projection.h"

namespace daybook::projections {

/// Every projection, over `store`, in the order of projections/tables.h: element i has table i.
/// The one list of them. `filter`: of the log index that reads the table `keys`, if one does.
std::vector<std::unique_ptr<Projection>> all_projections(const eventstore::KvStore& store,
                                                         eventstore::KeyFilter* filter = nullptr);

}  // namespace daybook::projections
