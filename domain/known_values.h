#pragma once

#include "domain/account.h"
#include "domain/event.h"

/// Whether a number read from stored bytes names an enumerator. The one list to extend with each.
namespace daybook::domain {

constexpr bool is_known(StreamKind kind) { return kind <= StreamKind::kPartition; }
constexpr bool is_known(AccountMode mode) { return mode <= AccountMode::kPostpaid; }
constexpr bool is_known(Enforcement enforcement) { return enforcement <= Enforcement::kRecord; }
constexpr bool is_known(CreditLimitSource source) { return source <= CreditLimitSource::kAccount; }
constexpr bool is_known(RefusalReason reason) { return reason <= RefusalReason::kLastAdminKey; }
constexpr bool is_known(CurrencyStatus status) { return status <= CurrencyStatus::kInactive; }
constexpr bool is_known(AccountStatus status) { return status <= AccountStatus::kClosed; }
constexpr bool is_known(Roles roles) { return roles.bits < 16; }

}  // namespace daybook::domain
