#pragma once

#include <memory>
#include <vector>

#include "eventstore/kv.h"
#include "projections/projection.h"

namespace daybook::projections {

/// Every projection, over `store`, in the order of projections/tables.h: element i has table i.
std::vector<std::unique_ptr<Projection>> all_projections(const eventstore::KvStore& store);

}  // namespace daybook::projections
