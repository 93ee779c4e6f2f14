#include "api/routes.h"

#include <algorithm>

namespace daybook::api {
namespace {

using enum Operation;
using enum Access;
using enum KeyRule;

constexpr Route command(std::string_view method, std::string_view pattern, Operation operation,
                        Access access = kCommand) {
  return {method,         pattern, operation, access, method == "POST" ? kRequired : kOptional,
          kCommandBodyMax};
}
constexpr Route query(std::string_view pattern, Operation operation, Access access) {
  return {"GET", pattern, operation, access, kNone, 0};
}

constexpr std::array kRoutes{
    command("POST", "/v1/accounts", kOpenAccount),
    command("POST", "/v1/accounts/{account}/close", kCloseAccount),
    command("POST", "/v1/accounts/{account}/reopen", kReopenAccount),
    command("POST", "/v1/accounts/{account}/freeze", kFreezeAccount),
    command("POST", "/v1/accounts/{account}/unfreeze", kUnfreezeAccount),
    command("DELETE", "/v1/accounts/{account}/private", kErasePrivateData),
    command("POST", "/v1/accounts/{account}/top-ups", kTopUp),
    command("POST", "/v1/accounts/{account}/top-ups/{event}/reverse", kReverseTopUp),
    command("POST", "/v1/accounts/{account}/charges", kCharge),
    command("POST", "/v1/accounts/{account}/holds", kPlaceHold),
    command("POST", "/v1/accounts/{account}/holds/{hold}/capture", kCaptureHold),
    command("POST", "/v1/accounts/{account}/holds/{hold}/release", kReleaseHold),
    command("POST", "/v1/accounts/{account}/refunds", kRefund),
    command("POST", "/v1/accounts/{account}/credit-notes", kCreditNote),
    command("POST", "/v1/accounts/{account}/adjustments", kAdjustment),
    command("POST", "/v1/accounts/{account}/payouts", kPayOut),
    command("POST", "/v1/accounts/{account}/usage-facts", kNoteUsage),
    command("PUT", "/v1/accounts/{account}/credit-limit", kSetCreditLimit),
    command("DELETE", "/v1/accounts/{account}/credit-limit", kClearCreditLimit),
    command("PUT", "/v1/accounts/{account}/tags/{tag}", kSetTag),
    command("DELETE", "/v1/accounts/{account}/tags/{tag}", kRemoveTag),
    command("PUT", "/v1/accounts/{account}/services/{service}/tags/{tag}", kSetTag),
    command("DELETE", "/v1/accounts/{account}/services/{service}/tags/{tag}", kRemoveTag),
    command("PUT", "/v1/catalogue/currencies/{code}", kSetCurrency, kAdmin),
    command("POST", "/v1/tenants", kCreateTenant, kFirstTenant),
    command("POST", "/v1/keys", kCreateKey, kAdmin),
    command("DELETE", "/v1/keys/{key}", kRevokeKey, kAdmin),
    command("PUT", "/v1/settings", kChangeSettings, kAdmin),
    Route{"POST", "/v1/batch", kBatch, kCommand, kNone, kBatchBodyMax},

    query("/v1/accounts", kListAccounts, kReadAccount),
    query("/v1/accounts/{account}", kGetAccount, kReadAccount),
    query("/v1/accounts/{account}/credit-limit", kGetCreditLimit, kReadAccount),
    query("/v1/accounts/{account}/tags", kListTags, kReadAccount),
    query("/v1/accounts/{account}/services/{service}/tags", kListTags, kReadAccount),
    query("/v1/accounts/{account}/balance", kGetBalance, kReadAccount),
    query("/v1/accounts/{account}/transactions", kListTransactions, kReadAccount),
    query("/v1/accounts/{account}/statement", kGetStatement, kReadAccount),
    query("/v1/accounts/{account}/events", kListAccountEvents, kReadAccount),
    query("/v1/events", kListEvents, kAudit),
    query("/v1/catalogue/currencies", kListCurrencies, kRead),
    query("/v1/catalogue/currencies/{code}", kGetCurrency, kRead),
    query("/v1/keys", kListKeys, kAudit),
    query("/v1/settings", kGetSettings, kRead),
    query("/v1/general-ledger", kGetGeneralLedger, kRead),

    query("/healthz", kHealth, kPublic),
    query("/readyz", kReadiness, kPublic),
    query("/version", kVersion, kPublic),
    query("/metrics", kMetrics, kNode),
    query("/openapi.json", kContract, kPublic),
    query("/docs", kDocs, kPublic),
};

constexpr std::size_t segments_of(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

/// Segments of each pattern: most routes fall out by that alone.
constexpr auto kSegments = [] {
  std::array<std::size_t, kRoutes.size()> segments{};
  std::transform(kRoutes.begin(), kRoutes.end(), segments.begin(),
                 [](const Route& route) { return segments_of(route.pattern); });
  return segments;
}();

/// Cuts the next segment off `path`, which starts with '/'.
std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

/// REQUIRES: both have the same number of segments.
bool matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view found = next_segment(path);
    if (wanted.starts_with('{') ? found.empty() : wanted != found) return false;
  }
  return true;
}

/// REQUIRES: the path matches.
PathParams params_of(std::string_view pattern, std::string_view path) {
  PathParams params;
  while (!pattern.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view found = next_segment(path);
    if (wanted.starts_with('{')) params.emplace(wanted.substr(1, wanted.size() - 2), found);
  }
  return params;
}

}  // namespace

std::span<const Route> all_routes() { return kRoutes; }

std::variant<RouteMatch, MethodNotAllowed, PathNotFound> find_route(std::string_view method,
                                                                    std::string_view path) {
  if (!path.starts_with('/')) return PathNotFound{};
  const std::size_t segments = segments_of(path);
  std::string allow;
  for (std::size_t i = 0; i < kRoutes.size(); ++i) {
    const Route& route = kRoutes[i];
    if (kSegments[i] != segments || !matches(route.pattern, path)) continue;
    if (route.method == method) return RouteMatch{&route, params_of(route.pattern, path)};
    if (!allow.empty()) allow += ", ";
    allow += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  if (allow.empty()) return PathNotFound{};
  return MethodNotAllowed{allow};
}

}  // namespace daybook::api
