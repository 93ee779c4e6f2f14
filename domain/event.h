#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "domain/account_events.h"
#include "domain/base/time.h"
#include "domain/stream.h"
#include "domain/tenant_events.h"

namespace daybook::domain {

/// Every event of every stream.
using Event =
    std::variant<AccountOpened, AccountFrozen, AccountUnfrozen, AccountClosed, AccountReopened,
                 BalanceToppedUp, TopUpReversed, ChargePosted, ChargeRefused, HoldPlaced,
                 HoldCaptured, HoldReleased, HoldExpired, ChargeRefunded, BalancePaidOut,
                 CreditNoteIssued, AdjustmentPosted, CreditLimitSet, CreditLimitCleared, TagSet,
                 TagRemoved, UsageNoted, PrivateDataErased, NoChange, CommandRefused, TenantCreated,
                 ApiKeyCreated, ApiKeyRevoked, CurrencySet, SettingsChanged, PaymentClaimed,
                 CatalogueAdopted>;

std::uint16_t type_of(const Event& event);
/// The public type: "ChargePosted".
std::string_view name_of(const Event& event);
/// Whether a stream of this kind may hold the event.
bool belongs(StreamKind kind, const Event& event);
std::string_view name_of(RefusalReason reason);  ///< The slug: "insufficient-funds".
std::string_view name_of(AccountMode mode);
std::string_view name_of(Enforcement enforcement);
std::string_view name_of(CreditLimitSource source);
std::string_view name_of(CurrencyStatus status);
std::string_view name_of(Role role);

/// An event with its envelope: what happened, to what, when, by whom and at whose request.
struct RecordedEvent {
  StreamId stream = {};
  std::uint64_t version = 0;  ///< 1, 2, 3, ... within the stream.
  Instant recorded_at = {};   ///< Assigned by the sequencer; never runs backwards.
  Instant effective_at = {};  ///< When it counts; equal to recorded_at unless the command said so.
  std::string actor = {};     ///< An opaque id: `key:<id>` or `system`.
  std::string idempotency_key = {};  ///< Empty: none.
  std::uint64_t fingerprint = 0;     ///< Of the request that the key stands for.
  std::uint16_t rules_version = 1;   ///< Version of the posting rules it was booked by.
  Event event = {};

  bool operator==(const RecordedEvent&) const = default;
};

/// Lets std::visit take a list of lambdas.
template <class... Callables>
struct Overloaded : Callables... {
  using Callables::operator()...;
};
template <class... Callables>
Overloaded(Callables...) -> Overloaded<Callables...>;

}  // namespace daybook::domain
