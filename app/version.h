#pragma once

#include <string>
#include <string_view>

namespace daybook::app {

/// The version of the project: "0.1.0".
std::string_view version_text();

/// What GET /version and `daybook version --json` say: which sources, compiler and build type this
/// binary is made of. The commit is empty where the build did not stand in a checkout.
std::string version_json();

}  // namespace daybook::app
