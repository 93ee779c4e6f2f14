#include "api/routes.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include "api/contract.h"
#include "api/json_reader.h"
#include "api/queries.h"

/// The table of routes and the published contract say the same: neither has what the other lacks.
namespace daybook::api {
namespace {

using MethodAndPath = std::pair<std::string, std::string>;  ///< Method in lower case, path.

std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return made;
}

std::set<std::string> texts_of(const JsonValue* list) {
  std::set<std::string> texts;
  if (list == nullptr) return texts;
  for (const JsonValue& item : *list->array()) texts.insert(*item.string());
  return texts;
}

std::set<std::string> roles_of(Access access) {
  switch (access) {
    case Access::kPublic:
      return {};
    case Access::kReadAccount:
      return {"admin", "operator", "auditor", "client"};
    case Access::kRead:
    case Access::kNode:
      return {"admin", "operator", "auditor"};
    case Access::kAudit:
      return {"admin", "auditor"};
    case Access::kCommand:
      return {"admin", "operator"};
    case Access::kAdmin:
    case Access::kFirstTenant:
      return {"admin"};
  }
  return {};
}

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() : contract_(std::get<JsonValue>(parse_json(contract_text(), {64, 1'000'000}))) {
    for (const JsonMember& path : *contract_.find("paths")->object()) {
      for (const JsonMember& method : *path.value.object()) {
        operations_.emplace(MethodAndPath(method.name, path.name), &method.value);
      }
    }
  }

  /// Names of the parameters of one kind that an operation has.
  std::set<std::string> parameters(const JsonValue& operation, std::string_view place) const {
    constexpr std::string_view kRoot = "#/components/parameters/";
    std::set<std::string> names;
    const JsonValue* list = operation.find("parameters");
    if (list == nullptr) return names;
    for (const JsonValue& item : *list->array()) {
      const std::string name = item.find("$ref")->string()->substr(kRoot.size());
      const JsonValue* parameter = contract_.find("components")->find("parameters")->find(name);
      if (parameter == nullptr || *parameter->find("in")->string() != place) continue;
      const JsonValue* style = parameter->find("style");
      const bool is_deep = style != nullptr && *style->string() == "deepObject";
      names.insert(*parameter->find("name")->string() + (is_deep ? "[]" : ""));
    }
    return names;
  }

  JsonValue contract_;
  std::map<MethodAndPath, const JsonValue*> operations_;
};

TEST_F(RoutesTest, the_contract_has_every_route_and_no_other) {
  std::set<MethodAndPath> served;
  for (const Route& route : all_routes()) {
    served.emplace(lower(route.method), std::string(route.pattern));
  }
  std::set<MethodAndPath> published;
  for (const auto& [route, operation] : operations_) published.insert(route);
  EXPECT_EQ(served, published);
}

TEST_F(RoutesTest, the_contract_has_the_roles_keys_and_parameters_of_every_route) {
  for (const Route& route : all_routes()) {
    SCOPED_TRACE(std::string(route.method) + " " + std::string(route.pattern));
    const JsonValue& operation = *operations_.at({lower(route.method), std::string(route.pattern)});
    EXPECT_EQ(texts_of(operation.find("x-daybook-roles")), roles_of(route.access));
    EXPECT_EQ(operation.find("security") != nullptr, route.access == Access::kPublic);
    const auto headers = parameters(operation, "header");
    EXPECT_EQ(headers.contains("Idempotency-Key"), route.key != KeyRule::kNone);
    EXPECT_EQ(headers.contains("If-Match"), route.key != KeyRule::kNone);
    std::set<std::string> query;
    for (const auto name : query_names(route.operation)) query.emplace(name);
    EXPECT_EQ(parameters(operation, "query"), query);
  }
}

TEST_F(RoutesTest, what_a_refused_method_is_told_are_the_methods_of_the_path) {
  const auto refused = find_route("PATCH", "/v1/accounts/acme/credit-limit");
  ASSERT_TRUE(std::holds_alternative<MethodNotAllowed>(refused));
  EXPECT_EQ(std::get<MethodNotAllowed>(refused).allow, "PUT, DELETE, GET, HEAD");
  EXPECT_TRUE(std::holds_alternative<PathNotFound>(find_route("GET", "/v1/accounts/")));
}

/// The pattern with `acme` for each parameter.
std::string filled(std::string_view pattern) {
  std::string path;
  while (!pattern.empty()) {
    const std::size_t end = pattern.find('/', 1);
    const std::string_view segment = pattern.substr(0, end);
    path += segment.starts_with("/{") ? "/acme" : std::string(segment);
    pattern.remove_prefix(std::min(end, pattern.size()));
  }
  return path;
}

TEST_F(RoutesTest, every_route_is_found_by_its_own_paths_alone) {
  for (const Route& route : all_routes()) {
    const std::string path = filled(route.pattern);
    SCOPED_TRACE(std::string(route.method) + " " + path);
    const auto finds_it = [&route](const std::string& tried) {
      const auto found = find_route(route.method, tried);
      const auto* matched = std::get_if<RouteMatch>(&found);
      return matched != nullptr && matched->route == &route;
    };
    EXPECT_TRUE(finds_it(path));
    for (const std::string& other :
         {path + "/", path + "/acme", "/acme" + path, "/" + path, path.substr(0, path.rfind('/')),
          path.substr(0, path.rfind('/') + 1), path.substr(0, path.size() - 1) + "\x01"}) {
      // A last segment that is a parameter takes any text.
      if (route.pattern.ends_with('}') && other.ends_with('\x01')) continue;
      EXPECT_FALSE(finds_it(other)) << other;
    }
  }
}

}  // namespace
}  // namespace daybook::api
