#include "domain/event.h"

#include <type_traits>

#include "domain/base/check.h"

namespace daybook::domain {
namespace {

template <class Body, class... Others>
constexpr bool is_one_of = (std::is_same_v<Body, Others> || ...);

}  // namespace

std::uint16_t type_of(const Event& event) {
  return std::visit([](const auto& body) { return body.kType; }, event);
}

bool belongs(StreamKind kind, const Event& event) {
  return std::visit(
      [kind](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (is_one_of<Body, NoChange, CommandRefused>) {
          return kind == StreamKind::kAccount || kind == StreamKind::kTenant;
        } else if constexpr (is_one_of<Body, PaymentClaimed>) {
          return kind == StreamKind::kPayment;
        } else if constexpr (is_one_of<Body, CatalogueAdopted>) {
          return kind == StreamKind::kPartition;
        } else if constexpr (is_one_of<Body, TenantCreated, ApiKeyCreated, ApiKeyRevoked,
                                       CurrencySet, SettingsChanged>) {
          return kind == StreamKind::kTenant;
        } else {
          return kind == StreamKind::kAccount;
        }
      },
      event);
}

std::string_view name_of(const Event& event) {
  return std::visit([](const auto& body) { return body.kName; }, event);
}

std::string_view name_of(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kInsufficientFunds:
      return "insufficient-funds";
    case RefusalReason::kAccountFrozen:
      return "account-frozen";
    case RefusalReason::kAccountClosed:
      return "account-closed";
    case RefusalReason::kBalanceNotZero:
      return "balance-not-zero";
    case RefusalReason::kHoldsOpen:
      return "holds-open";
    case RefusalReason::kExceedsOriginal:
      return "exceeds-original";
    case RefusalReason::kHoldNotOpen:
      return "hold-not-open";
    case RefusalReason::kAlreadyReversed:
      return "already-reversed";
    case RefusalReason::kPaymentConflict:
      return "payment-conflict";
    case RefusalReason::kLimitReached:
      return "limit-reached";
    case RefusalReason::kAccountExists:
      return "account-exists";
    case RefusalReason::kTenantExists:
      return "tenant-exists";
    case RefusalReason::kLastAdminKey:
      return "last-admin-key";
  }
  CHECK(false);
}

std::string_view name_of(AccountMode mode) {
  return mode == AccountMode::kPrepaid ? "prepaid" : "postpaid";
}

std::string_view name_of(Enforcement enforcement) {
  return enforcement == Enforcement::kStrict ? "strict" : "record";
}

std::string_view name_of(CreditLimitSource source) {
  switch (source) {
    case CreditLimitSource::kNone:
      return "none";
    case CreditLimitSource::kCurrencyDefault:
      return "currency-default";
    case CreditLimitSource::kAccount:
      return "account";
  }
  CHECK(false);
}

std::string_view name_of(CurrencyStatus status) {
  return status == CurrencyStatus::kActive ? "active" : "inactive";
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kAdmin:
      return "admin";
    case Role::kOperator:
      return "operator";
    case Role::kAuditor:
      return "auditor";
    case Role::kClient:
      return "client";
  }
  CHECK(false);
}

}  // namespace daybook::domain
