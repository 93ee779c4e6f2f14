#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "domain/base/time.h"
#include "domain/catalogue.h"
#include "domain/decision.h"
#include "domain/event.h"
#include "domain/money.h"

/// The account decider: what may happen to a customer's money, limits and tags, and what follows.
/// Read in this order: commands, (events: domain/account_events.h), state, rejection, decide,
/// evolve.
///
/// Pure: no clock, no I/O, no float; time, the catalogue and what the past says come in as facts.
namespace daybook::domain {

// --- Bounds
// ---------------------------------------------------------------------------------------

inline constexpr std::size_t kOpenHoldsMax = 1'000;  ///< Per account.
inline constexpr std::size_t kTagsMax = 1'000;       ///< Per account, its services included.
inline constexpr std::size_t kSettledPerDecision =
    255;  ///< So that one decision has <= 256 events.

/// The tag that switches automatic payment; removing it is an explicit "off" (sources.md R15).
inline constexpr std::string_view kAutoCreditTag = "auto_credit";

// --- Commands
// -------------------------------------------------------------------------------------

struct OpenAccount {
  Currency currency;
  AccountMode mode = AccountMode::kPrepaid;
  std::vector<InitialTag> tags;
};
struct FreezeAccount {
  std::optional<std::string> reason;
};
struct UnfreezeAccount {
  std::optional<std::string> reason;
};
struct CloseAccount {
  std::optional<std::string> reason;
};
struct ReopenAccount {
  std::optional<std::string> reason;
};
struct TopUp {
  Money amount;
  std::optional<std::string> provider;
  std::optional<std::string> provider_payment_id;
  std::optional<std::string> description;
};
struct ReverseTopUp {
  EventRef top_up;
  std::optional<std::string> reason;
};
struct PostCharge {
  Money amount;
  Enforcement enforce = Enforcement::kStrict;
  std::optional<std::string> description;
  std::optional<std::string> service;
  Attributes attributes;
};
struct PlaceHold {
  Money amount;
  std::optional<Instant> expires_at;
  std::optional<std::string> description;
  std::optional<std::string> service;
};
struct CaptureHold {
  EventRef hold;
  std::optional<Money> amount;  ///< Empty: all of it.
  std::optional<std::string> description;
};
struct ReleaseHold {
  EventRef hold;
  std::optional<std::string> reason;
};
struct RefundCharge {
  EventRef charge;
  std::optional<Money> amount;  ///< Empty: what is left of the charge.
  std::string reason;
};
struct PayOutBalance {
  Money amount;
  std::optional<std::string> description;
};
struct IssueCreditNote {
  Money amount;
  std::string reason;
};
struct PostAdjustment {
  Money amount;
  std::string reason;
  Attributes attributes;
};
struct SetCreditLimit {
  Money amount;
  std::string reason;
};
struct ClearCreditLimit {
  std::optional<Currency> currency;  ///< Empty: the account's own.
  std::optional<std::string> reason;
};
struct SetTag {
  std::optional<std::string> service;
  std::string tag;
  std::string value;
  std::optional<PrivateValue> extra;
  /// Names the same text as `extra`, as far as that is known: what a reference names never changes.
  std::optional<PrivateValue> same_as = {};
};
struct RemoveTag {
  std::optional<std::string> service;
  std::string tag;
};
struct NoteUsage {
  std::optional<std::string> description;
  std::optional<std::string> service;
  Attributes attributes;
};
struct ErasePrivateData {
  std::optional<std::string> reason;
};
/// Asks for nothing but what is due (settle): sent by the timer where nothing else happens.
struct SettleAccount {};

using AccountCommand =
    std::variant<OpenAccount, FreezeAccount, UnfreezeAccount, CloseAccount, ReopenAccount, TopUp,
                 ReverseTopUp, PostCharge, PlaceHold, CaptureHold, ReleaseHold, RefundCharge,
                 PayOutBalance, IssueCreditNote, PostAdjustment, SetCreditLimit, ClearCreditLimit,
                 SetTag, RemoveTag, NoteUsage, ErasePrivateData, SettleAccount>;

// --- State
// ----------------------------------------------------------------------------------------

/// What an account holds in one currency.
struct CurrencyBalance {
  Currency currency;
  Amount balance;                        ///< Signed: below zero is credit in use.
  Amount held;                           ///< Sum of the open holds.
  std::optional<Amount> limit_override;  ///< The account's own credit limit.

  bool operator==(const CurrencyBalance&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(currency, balance, held, limit_override);
  }
};

struct OpenHold {
  std::uint64_t version = 0;  ///< Of its HoldPlaced.
  Money amount;
  std::optional<Instant> expires_at;
  std::optional<std::string> service;

  bool operator==(const OpenHold&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, amount, expires_at, service);
  }
};

struct AccountTag {
  std::optional<std::string> service;
  std::string name;
  std::optional<std::string> value;  ///< Empty: explicitly off (only kAutoCreditTag).
  std::optional<PrivateValue> extra;
  Instant set_at;

  bool operator==(const AccountTag&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(service, name, value, extra, set_at);
  }
};

struct AccountState {
  std::uint64_t version = 0;  ///< Of the last event; 0: no such account.
  AccountStatus status = AccountStatus::kNone;
  bool frozen_when_closed = false;  ///< What reopening brings back; false while not closed.
  AccountMode mode = AccountMode::kPrepaid;
  Currency currency;
  Instant opened_at;
  std::vector<CurrencyBalance> balances;  ///< The account's own currency first.
  std::vector<OpenHold> holds;            ///< By version.
  std::vector<AccountTag> tags;           ///< By (service, name).
  bool has_private_values = false;        ///< Named since the last erasure, replaced ones too.

  bool operator==(const AccountState&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, status, frozen_when_closed, mode, currency, opened_at, balances, holds, tags,
       has_private_values);
  }
};

/// The balance in a currency; all zero where the account never had one.
CurrencyBalance balance_of(const AccountState& state, Currency currency);

/// The limit in force: the account's own, else the tenant's default, else none.
struct EffectiveLimit {
  Amount amount;
  CreditLimitSource source = CreditLimitSource::kNone;
};
EffectiveLimit effective_limit(const CurrencyBalance& balance, const Catalogue& catalogue);

/// balance + limit - held: the one definition of available, not clamped at zero. It always fits:
/// decide() keeps balance, and balance - held, within 26 digits and limits within 25. (Values that
/// no decision wrote end at the largest amount.) Unbilled and receivable join with invoices; they
/// are zero for prepaid accounts.
Amount available_of(const CurrencyBalance& balance, Amount limit);

// --- Facts (rejections: domain/decision.h)
// ----------------------------------------------------------------------------

/// What a decision may know besides the account's own state. Pointers may be null.
struct AccountFacts {
  Instant now;
  const AccountId* account = nullptr;               ///< REQUIRED: whose state it is.
  const Catalogue* catalogue = nullptr;             ///< REQUIRED: as the partition adopted it.
  bool keyed = false;                               ///< The command has an idempotency key.
  const RecordedEvent* referenced = nullptr;        ///< The event that the command names.
  const RecordedEvent* latest_reference = nullptr;  ///< The newest refund or reversal of it.
  const PaymentClaimed* claim = nullptr;            ///< Who has this provider payment already.
};

// --- Decide
// -----------------------------------------------------------------------------------------

/// What is due by `now`: expired holds, oldest due first, at most kSettledPerDecision. Done before
/// every decision; the events are facts whatever the command's outcome.
std::vector<Event> settle(const AccountState& state, const Catalogue& catalogue, Instant now);

/// Decides one command against the settled state. Total: any command, any state.
///
/// What comes first answers: not found, then what is wrong with the command itself (422), then a
/// payment that has counted already, then closed, frozen, and last the amounts. An inactive
/// currency takes no new business (opening, top-up, charge, hold, limit); what was begun in it can
/// be ended (capture, release, refund, reversal, pay-out) and set right (credit note, adjustment).
Outcome decide(const AccountCommand& command, const AccountState& state, const AccountFacts& facts);

// --- Evolve
// -----------------------------------------------------------------------------------------

/// The state after the event. Never judges: an event is a fact. Events of other streams are a bug.
void evolve(AccountState& state, const RecordedEvent& recorded);
/// The same for an event that is about to be recorded at `recorded_at` as the next version.
void evolve(AccountState& state, const Event& event, Instant recorded_at);

}  // namespace daybook::domain
