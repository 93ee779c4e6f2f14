#include "api/path_rule.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/body_reader.h"
#include "api/command_json.h"
#include "domain/base/check.h"
#include "domain/money.h"

namespace daybook::api {
namespace {

constexpr std::array<std::pair<std::string_view, TextRule>, 4> kTextRules{{
    {"account", kAccountRule},
    {"service", kServiceRule},
    {"tag", kTagRule},
    {"key", kKeyIdRule},
}};

std::optional<std::string> fault_in(std::string_view name, std::string_view value) {
  if (name == "hold" || name == "event") {
    return is_event_id(value) ? std::nullopt : std::optional<std::string>("must be an event id");
  }
  if (name == "code") {
    if (domain::Currency::parse(value)) return std::nullopt;
    return "must be the code of an ISO 4217 currency";
  }
  for (const auto& [known, rule] : kTextRules) {
    if (known != name) continue;
    auto fault = fault_of(value, rule);
    return fault ? std::optional(std::move(fault->detail)) : std::nullopt;
  }
  CHECK(false && "a path value without a grammar");
  return std::nullopt;
}

}  // namespace

std::vector<FieldError> path_errors(const PathParams& params) {
  std::vector<FieldError> errors;
  for (const auto& [name, value] : params) {
    if (auto fault = fault_in(name, value)) errors.push_back({"", std::move(*fault), name});
  }
  return errors;
}

}  // namespace daybook::api
