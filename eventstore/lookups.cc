#include "eventstore/lookups.h"

#include <string>

namespace daybook::eventstore {

using domain::Overloaded;

std::optional<std::uint64_t> referenced_version(const Command& command) {
  if (!command.is_account_command()) return std::nullopt;
  using Version = std::optional<std::uint64_t>;
  return std::visit(
      Overloaded{
          [](const domain::RefundCharge& body) { return Version(body.charge.version); },
          [](const domain::ReverseTopUp& body) { return Version(body.top_up.version); },
          [](const domain::CaptureHold& body) { return Version(body.hold.version); },
          [](const domain::ReleaseHold& body) { return Version(body.hold.version); },
          [](const auto&) { return Version(); },
      },
      std::get<domain::AccountCommand>(command.body));
}

std::optional<domain::StreamId> payment_stream(const Command& command) {
  if (!command.is_account_command()) return std::nullopt;
  const auto* top_up = std::get_if<domain::TopUp>(&std::get<domain::AccountCommand>(command.body));
  if (top_up == nullptr || !top_up->provider_payment_id) return std::nullopt;
  return domain::StreamId::payment(command.tenant, top_up->provider.value_or(""),
                                   *top_up->provider_payment_id);
}

std::optional<std::uint64_t> reference_of(const domain::Event& event) {
  if (const auto* refund = std::get_if<domain::ChargeRefunded>(&event)) {
    return refund->charge.version;
  }
  if (const auto* reversal = std::get_if<domain::TopUpReversed>(&event)) {
    return reversal->top_up.version;
  }
  return std::nullopt;
}

LookupKey latest_reference_key(const domain::StreamId& stream, std::uint64_t version) {
  return lookup_key(LookupKind::kLatestReference, stream, std::to_string(version));
}

}  // namespace daybook::eventstore
