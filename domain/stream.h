#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "domain/base/strong_id.h"

namespace daybook::domain {

/// What a stream is the history of. These numbers are the stored format.
enum class StreamKind : std::uint8_t {
  kAccount = 0,    ///< A billing account; id = the account's id.
  kTenant = 1,     ///< An operator's organisation; id is empty.
  kPayment = 2,    ///< A provider payment, claimed once; id = `provider/payment id`.
  kPartition = 3,  ///< The partition itself: which catalogue version it decides with; id is empty.
};

std::string_view name_of(StreamKind kind);

/// Names one ordered, gapless history: versions 1, 2, 3, ...
struct StreamId {
  StreamKind kind = StreamKind::kAccount;
  TenantId tenant;
  std::string id;

  auto operator<=>(const StreamId&) const = default;

  static StreamId account(TenantId tenant, const AccountId& account) {
    return {StreamKind::kAccount, std::move(tenant), account.value()};
  }
  static StreamId of_tenant(TenantId tenant) {
    return {StreamKind::kTenant, std::move(tenant), ""};
  }
  static StreamId payment(TenantId tenant, std::string_view provider, std::string_view payment_id);
  static StreamId partition(TenantId tenant) {
    return {StreamKind::kPartition, std::move(tenant), ""};
  }
};

/// An event of the same stream, named by its version; shown to the public as that event's id.
struct EventRef {
  std::uint64_t version = 0;

  auto operator<=>(const EventRef&) const = default;
};

/// An event of an account's stream, named from another stream.
struct AccountEventRef {
  AccountId account;
  std::uint64_t version = 0;

  auto operator<=>(const AccountEventRef&) const = default;
};

}  // namespace daybook::domain
