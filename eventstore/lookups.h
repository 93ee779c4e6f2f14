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

/// Which states a look-up is to bring: not those that the sequencer has.
struct WantedStates {
  bool tenant = true;
  bool account = true;  ///< Of a command that names one.
};

/// A command on its way to the sequencer.
struct PreparedCommand {
  Command command;
  Lookups lookups;
  Completion complete;
  std::uint64_t arrival = 0;  ///< Order of arrival at the queue.
  std::size_t bytes = 0;      ///< Memory that it was counted with there.
  int looked_again = 0;       ///< Times that the look-ups were too old.
  // Set when the command was sent back.
  std::uint64_t look_again_at = 0;  ///< The index position that new look-ups need.
  WantedStates look_again_for = {};
};

/// The version that a command names (refund, reversal, capture, release); none for others.
std::optional<std::uint64_t> referenced_version(const Command& command);

/// The provider payment that a top-up stands for; none for other commands.
std::optional<domain::StreamId> payment_stream(const Command& command);

/// The event that a refund or reversal refers to; none for other events.
std::optional<std::uint64_t> reference_of(const domain::Event& event);

/// Key of the newest refund or reversal of the stream's event of that version.
LookupKey latest_reference_key(const domain::StreamId& stream, std::uint64_t version);

}  // namespace daybook::eventstore
