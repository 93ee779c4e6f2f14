#pragma once

#include <string_view>

namespace daybook::api {

/// api/openapi.json: what every request and answer is held to. Lives as long as the program.
std::string_view contract_text();

/// A page that shows the contract to a reader; it loads nothing but /openapi.json.
std::string_view docs_page();

}  // namespace daybook::api
