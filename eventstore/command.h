#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "domain/account.h"
#include "domain/tenant.h"

/// What enters the write side and what comes back.
namespace daybook::eventstore {

/// A command with everything the caller said about it. `effective_at` and `if_match` are optional;
/// an empty idempotency key means none.
struct Command {
  TenantId tenant;
  AccountId account;  ///< Empty for a tenant command.
  std::variant<domain::AccountCommand, domain::TenantCommand> body;
  std::string actor;
  std::string idempotency_key;
  std::uint64_t fingerprint = 0;  ///< Of the request; the same key with another one is refused.
  std::optional<std::uint64_t> if_match;
  std::optional<Instant> effective_at;

  bool is_account_command() const { return body.index() == 0; }
  domain::StreamId stream() const {
    return is_account_command() ? domain::StreamId::account(tenant, account)
                                : domain::StreamId::of_tenant(tenant);
  }
};

/// An event and where it stands in the log.
struct PlacedEvent {
  domain::RecordedEvent event;
  std::uint64_t position = 0;
};
using PlacedEventPtr = std::shared_ptr<const PlacedEvent>;

enum class AnswerKind {
  kRecorded,         ///< An event carries the outcome: a yes, or a no that depends on the state.
  kReplayed,         ///< An earlier event carries it.
  kUnchanged,        ///< Nothing to do and nothing recorded: the command had no key.
  kRejected,         ///< Not recorded, the key is not consumed: see `rejection`.
  kKeyReused,        ///< The key stands for another request.
  kVersionMismatch,  ///< if_match is not the stream's version: see `version`.
  kRefusalsLimited,  ///< Too many refusals on this account; later again.
  kOverloaded,       ///< Not begun: the queue is full or the ledger is stopping.
  kUnknown,          ///< The store failed: it may have happened. The same key will tell.
};

/// The outcome of a command. Given out only when everything it rests on is durable.
struct Answer {
  AnswerKind kind = AnswerKind::kUnknown;
  PlacedEventPtr event = nullptr;  ///< kRecorded, kReplayed: the event that answers.
  PlacedEventPtr original =
      nullptr;  ///< Set when `event` is a NoChange{of}: the event whose answer it repeats.
  domain::Rejection rejection = {};
  std::uint64_t version = 0;   ///< Of the stream once the command was done.
  std::uint64_t position = 0;  ///< Everything before this position was seen by the decision.
};

/// Called exactly once, from a thread of the ledger or of whoever submits; must not block.
using Completion = std::function<void(Answer)>;

}  // namespace daybook::eventstore
