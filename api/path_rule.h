#pragma once

#include <vector>

#include "api/problem.h"
#include "api/routes.h"

namespace daybook::api {

/// What is wrong with the values in a path: each has a grammar by its name in the route's pattern.
/// A value outside its grammar names nothing that could exist, so this comes before any look-up.
std::vector<FieldError> path_errors(const PathParams& params);

}  // namespace daybook::api
