#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The table of everything that can be asked: the one page to read first in this folder.
namespace daybook::api {

enum class Operation : std::uint8_t {
  // Commands.
  kOpenAccount,
  kCloseAccount,
  kReopenAccount,
  kFreezeAccount,
  kUnfreezeAccount,
  kErasePrivateData,
  kTopUp,
  kReverseTopUp,
  kCharge,
  kPlaceHold,
  kCaptureHold,
  kReleaseHold,
  kRefund,
  kCreditNote,
  kAdjustment,
  kPayOut,
  kNoteUsage,
  kSetCreditLimit,
  kClearCreditLimit,
  kSetTag,
  kRemoveTag,
  kSetCurrency,
  kCreateTenant,
  kCreateKey,
  kRevokeKey,
  kChangeSettings,
  kBatch,
  // Queries.
  kListAccounts,
  kGetAccount,
  kGetCreditLimit,
  kListTags,
  kGetBalance,
  kListTransactions,
  kGetStatement,
  kListAccountEvents,
  kListEvents,
  kListCurrencies,
  kGetCurrency,
  kListKeys,
  kGetSettings,
  kGetGeneralLedger,
  // About the process.
  kHealth,
  kReadiness,
  kVersion,
  kMetrics,
  kContract,
  kDocs,
};

/// Who may ask. `client` keys may use kReadAccount for the accounts they name, and nothing else.
enum class Access : std::uint8_t {
  kPublic,       ///< No credential.
  kReadAccount,  ///< Any role; a client key its own accounts.
  kRead,         ///< admin, operator, auditor.
  kAudit,        ///< admin, auditor.
  kCommand,      ///< admin, operator.
  kAdmin,        ///< admin.
  kNode,         ///< admin, operator, auditor of the first tenant: what is about all tenants.
  kFirstTenant,  ///< admin of the first tenant.
};

enum class KeyRule : std::uint8_t { kNone, kOptional, kRequired };

struct Route {
  std::string_view method;
  std::string_view pattern;  ///< "/v1/accounts/{account}/holds/{hold}/capture"
  Operation operation;
  Access access;
  KeyRule key = KeyRule::kNone;
  std::size_t body_bytes_max = 0;
};

inline constexpr std::size_t kCommandBodyMax = std::size_t{64} * 1024;
inline constexpr std::size_t kBatchBodyMax = std::size_t{16} * 1024 * 1024;

std::span<const Route> all_routes();

/// Values of a pattern's `{names}`.
using PathParams = std::map<std::string, std::string, std::less<>>;

struct RouteMatch {
  const Route* route = nullptr;
  PathParams params;
};
struct MethodNotAllowed {
  std::string allow;  ///< "GET, PUT"
};
struct PathNotFound {};
/// What is said of it: another thing than that an object is not there.
inline constexpr std::string_view kNoSuchPath = "there is no such path";

/// `path` is percent-decoded. HEAD is routed as GET by the caller; `allow` names it with GET.
std::variant<RouteMatch, MethodNotAllowed, PathNotFound> find_route(std::string_view method,
                                                                    std::string_view path);

}  // namespace daybook::api
