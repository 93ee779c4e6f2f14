#pragma once

#include <string>

namespace daybook::app {

/// "0.1.0"
std::string version_text();

/// What GET /version answers.
std::string version_json();

}  // namespace daybook::app
