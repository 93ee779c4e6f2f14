#include "api/routes.h"

#include <algorithm>
#include <optional>

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

constexpr std::size_t kSegmentsMax = 7;  // of the longest pattern

struct Segments {
  std::array<std::string_view, kSegmentsMax> each;
  std::size_t count = 0;
};

/// What stands between the slashes of a path, which starts with one. None: it has more segments
/// than any pattern.
constexpr std::optional<Segments> split(std::string_view path) {
  Segments segments;
  while (!path.empty()) {
    if (segments.count == kSegmentsMax) return std::nullopt;
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.each[segments.count++] = path.substr(0, end);
    path.remove_prefix(end);
  }
  return segments;
}

constexpr auto kPatterns = [] {
  std::array<Segments, kRoutes.size()> patterns;
  std::transform(kRoutes.begin(), kRoutes.end(), patterns.begin(),
                 [](const Route& route) { return *split(route.pattern); });
  return patterns;
}();

constexpr bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

bool matches(const Segments& pattern, const Segments& path) {
  if (pattern.count != path.count) return false;
  for (std::size_t i = 0; i < path.count; ++i) {
    const std::string_view wanted = pattern.each[i];
    const std::string_view found = path.each[i];
    if (is_parameter(wanted) ? found.empty() : wanted != found) return false;
  }
  return true;
}

/// REQUIRES: the path matches.
PathParams params_of(const Segments& pattern, const Segments& path) {
  PathParams params;
  for (std::size_t i = 0; i < path.count; ++i) {
    const std::string_view wanted = pattern.each[i];
    if (is_parameter(wanted)) params.emplace(wanted.substr(1, wanted.size() - 2), path.each[i]);
  }
  return params;
}

}  // namespace

std::span<const Route> all_routes() { return kRoutes; }

std::variant<RouteMatch, MethodNotAllowed, PathNotFound> find_route(std::string_view method,
                                                                    std::string_view path) {
  if (!path.starts_with('/')) return PathNotFound{};
  const auto segments = split(path);
  if (!segments) return PathNotFound{};
  std::string allow;
  for (std::size_t i = 0; i < kRoutes.size(); ++i) {
    const Route& route = kRoutes[i];
    if (!matches(kPatterns[i], *segments)) continue;
    if (route.method == method) return RouteMatch{&route, params_of(kPatterns[i], *segments)};
    if (!allow.empty()) allow += ", ";
    allow += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  if (allow.empty()) return PathNotFound{};
  return MethodNotAllowed{allow};
}

}  // namespace daybook::api
