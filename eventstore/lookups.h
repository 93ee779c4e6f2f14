#pragma once

#include <cstdint>
#include <optional>

#include "domain/account.h"
#include "domain/tenant.h"
#include "eventstore/command.h"
#include "eventstore/stream_key.h"

namespace daybook::eventstore {

/// What the log index said about a command before it reached the sequencer: everything recorded
/// before `as_of`. The sequencer knows the rest; together they are the whole log, always.
struct Lookups {
  std::uint64_t as_of = 0;
  LookupKey key{};  ///< Of the idempotency key; meaningless without one.
  std::optional<domain::AccountState> account;  ///< As last recorded; version 0 if there is none.
  std::optional<domain::TenantState> tenant;
  PlacedEventPtr key_event;         ///< The event that carries the idempotency key.
  PlacedEventPtr original;          ///< If key_event is a NoChange{of}: that event.
  PlacedEventPtr claim;             ///< The PaymentClaimed of the provider payment.
  PlacedEventPtr claimed_top_up;    ///< The top-up that it belongs to, if on this account.
  PlacedEventPtr referenced;        ///< The event that the command names by version.
  PlacedEventPtr latest_reference;  ///< The newest refund or reversal of it.
};

/// A command on its way to the sequencer.
struct PreparedCommand {
  Command command;
  Lookups lookups;
  Completion complete;
  int looked_again = 0;       ///< Times that the look-ups were too old.
  std::uint64_t arrival = 0;  ///< Counts the commands as the ledger took them; 0: not yet.
};

/// The version that a command names (refund, reversal, capture, release); none for others.
std::optional<std::uint64_t> referenced_version(const Command& command);

/// The provider payment that a top-up stands for; none for other commands.
std::optional<domain::StreamId> payment_stream(const Command& command);

/// The event that a refund or reversal refers to; none for other events.
std::optional<std::uint64_t> reference_of(const domain::Event& event);

}  // namespace daybook::eventstore
