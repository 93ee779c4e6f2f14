#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "domain/base/time.h"
#include "domain/field.h"
#include "domain/money.h"
#include "domain/stream.h"

/// The events of an account's stream.
///
/// NOTE: these are the stored format. A field is never renamed, reordered, removed or given another
/// meaning: a change is a new struct with a new schema number beside the old one, an upcaster, a
/// golden file and a line under "Stored format" in CHANGELOG.md. docs/events.md says what each
/// means and which postings it makes.
///
/// kType is the number in the stored envelope, kName the public type. Every number that matters was
/// computed by decide; `*_after` are the account's values once the event counts, in its currency.
namespace daybook::domain {

enum class AccountMode : std::uint8_t { kPrepaid = 0, kPostpaid = 1 };

/// Whether an account takes part. None: it does not exist.
enum class AccountStatus : std::uint8_t { kNone = 0, kOpen = 1, kFrozen = 2, kClosed = 3 };

/// Whether a charge may be refused for lack of funds.
enum class Enforcement : std::uint8_t { kStrict = 0, kRecord = 1 };

/// Where the effective credit limit came from.
enum class CreditLimitSource : std::uint8_t { kNone = 0, kCurrencyDefault = 1, kAccount = 2 };

/// A name and a value that came with a charge, an adjustment or a usage fact; names are unique.
struct Attribute {
  std::string name;
  std::string value;

  auto operator<=>(const Attribute&) const = default;
};
using Attributes = std::vector<Attribute>;

/// A value that may name a person, kept outside the log: `reference` finds it in the private store,
/// `commitment` is SHA-256(salt || value), so that it can be proven while it has not been erased.
struct PrivateValue {
  std::string reference;   ///< 16 random bytes.
  std::string commitment;  ///< 32 bytes.

  auto operator<=>(const PrivateValue&) const = default;
};

/// What a tag is on when an account is opened with tags.
struct InitialTag {
  std::string name;
  std::string value;

  auto operator<=>(const InitialTag&) const = default;
};

struct AccountOpened {
  static constexpr std::uint16_t kType = 1;
  static constexpr std::string_view kName = "AccountOpened";
  Currency currency;
  AccountMode mode = AccountMode::kPrepaid;
  std::vector<InitialTag> tags;

  bool operator==(const AccountOpened&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("currency", currency), field("mode", mode), field("tags", tags));
  }
};

struct AccountFrozen {
  static constexpr std::uint16_t kType = 2;
  static constexpr std::string_view kName = "AccountFrozen";
  std::optional<std::string> reason;

  bool operator==(const AccountFrozen&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("reason", reason));
  }
};

struct AccountUnfrozen {
  static constexpr std::uint16_t kType = 3;
  static constexpr std::string_view kName = "AccountUnfrozen";
  std::optional<std::string> reason;

  bool operator==(const AccountUnfrozen&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("reason", reason));
  }
};

struct AccountClosed {
  static constexpr std::uint16_t kType = 4;
  static constexpr std::string_view kName = "AccountClosed";
  std::optional<std::string> reason;

  bool operator==(const AccountClosed&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("reason", reason));
  }
};

struct AccountReopened {
  static constexpr std::uint16_t kType = 5;
  static constexpr std::string_view kName = "AccountReopened";
  std::optional<std::string> reason;
  AccountStatus status_after = AccountStatus::kOpen;  ///< Open, or frozen if it was when closed.

  bool operator==(const AccountReopened&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("reason", reason), field("status_after", status_after));
  }
};

struct BalanceToppedUp {
  static constexpr std::uint16_t kType = 6;
  static constexpr std::string_view kName = "BalanceToppedUp";
  Money amount;
  std::optional<std::string> provider;
  std::optional<std::string> provider_payment_id;
  std::optional<std::string> description;
  Money credit_restored;  ///< The part that went to credit in use before it raised the balance
                          ///< above 0.
  Money balance_after;
  Money available_after;

  bool operator==(const BalanceToppedUp&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("amount", amount), field("provider", provider),
       field("provider_payment_id", provider_payment_id), field("description", description),
       field("credit_restored", credit_restored), field("balance_after", balance_after),
       field("available_after", available_after));
  }
};

struct TopUpReversed {
  static constexpr std::uint16_t kType = 7;
  static constexpr std::string_view kName = "TopUpReversed";
  EventRef top_up;
  Money amount;
  std::optional<std::string> reason;
  Money balance_after;
  Money available_after;

  bool operator==(const TopUpReversed&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("top_up", top_up), field("amount", amount), field("reason", reason),
       field("balance_after", balance_after), field("available_after", available_after));
  }
};

struct ChargePosted {
  static constexpr std::uint16_t kType = 8;
  static constexpr std::string_view kName = "ChargePosted";
  Money amount;
  Enforcement enforce = Enforcement::kStrict;
  std::optional<std::string> description;
  std::optional<std::string> service;
  Attributes attributes;
  Money from_balance;
  Money from_credit;
  Money balance_after;
  Money available_after;
  Money credit_limit;  ///< The effective limit that the decision used.
  CreditLimitSource credit_limit_source = CreditLimitSource::kNone;
  std::uint64_t catalogue_version = 0;

  bool operator==(const ChargePosted&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("amount", amount), field("enforce", enforce), field("description", description),
       field("service", service), field("attributes", attributes),
       field("from_balance", from_balance), field("from_credit", from_credit),
       field("balance_after", balance_after), field("available_after", available_after),
       field("credit_limit", credit_limit), field("credit_limit_source", credit_limit_source),
       field("catalogue_version", catalogue_version));
  }
};

/// Why a command was answered with a business no. These numbers are the stored format; name_of
/// gives the slug that clients see.
enum class RefusalReason : std::uint8_t {
  kInsufficientFunds = 0,
  kAccountFrozen = 1,
  kAccountClosed = 2,
  kBalanceNotZero = 3,
  kHoldsOpen = 4,
  kExceedsOriginal = 5,
  kHoldNotOpen = 6,
  kAlreadyReversed = 7,
  kPaymentConflict = 8,
  kLimitReached = 9,
  kAccountExists = 10,
  kTenantExists = 11,
  kLastAdminKey = 12,
};

struct ChargeRefused {
  static constexpr std::uint16_t kType = 9;
  static constexpr std::string_view kName = "ChargeRefused";
  Money amount;
  RefusalReason reason = RefusalReason::kInsufficientFunds;
  std::optional<Money> short_by;
  std::optional<std::string> description;
  std::optional<std::string> service;
  Money credit_limit;
  CreditLimitSource credit_limit_source = CreditLimitSource::kNone;
  std::uint64_t catalogue_version = 0;

  bool operator==(const ChargeRefused&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("amount", amount), field("reason", reason), field("short_by", short_by),
       field("description", description), field("service", service),
       field("credit_limit", credit_limit), field("credit_limit_source", credit_limit_source),
       field("catalogue_version", catalogue_version));
  }
};

struct HoldPlaced {
  static constexpr std::uint16_t kType = 10;
  static constexpr std::string_view kName = "HoldPlaced";
  EventRef hold;  ///< This event itself: its id is the hold's id.
  Money amount;
  std::optional<Instant> expires_at;
  std::optional<std::string> description;
  std::optional<std::string> service;
  Money held_after;
  Money available_after;
  Money credit_limit;
  CreditLimitSource credit_limit_source = CreditLimitSource::kNone;
  std::uint64_t catalogue_version = 0;

  bool operator==(const HoldPlaced&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("hold", hold), field("amount", amount), field("expires_at", expires_at),
       field("description", description), field("service", service),
       field("held_after", held_after), field("available_after", available_after),
       field("credit_limit", credit_limit), field("credit_limit_source", credit_limit_source),
       field("catalogue_version", catalogue_version));
  }
};

struct HoldCaptured {
  static constexpr std::uint16_t kType = 11;
  static constexpr std::string_view kName = "HoldCaptured";
  EventRef hold;
  Money amount;    ///< Charged.
  Money released;  ///< The rest of the hold, free again.
  std::optional<std::string> description;
  std::optional<std::string> service;
  Money from_balance;
  Money from_credit;
  Money balance_after;
  Money held_after;
  Money available_after;

  bool operator==(const HoldCaptured&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("hold", hold), field("amount", amount), field("released", released),
       field("description", description), field("service", service),
       field("from_balance", from_balance), field("from_credit", from_credit),
       field("balance_after", balance_after), field("held_after", held_after),
       field("available_after", available_after));
  }
};

struct HoldReleased {
  static constexpr std::uint16_t kType = 12;
  static constexpr std::string_view kName = "HoldReleased";
  EventRef hold;
  Money amount;
  std::optional<std::string> reason;
  Money held_after;
  Money available_after;

  bool operator==(const HoldReleased&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("hold", hold), field("amount", amount), field("reason", reason),
       field("held_after", held_after), field("available_after", available_after));
  }
};

struct HoldExpired {
  static constexpr std::uint16_t kType = 13;
  static constexpr std::string_view kName = "HoldExpired";
  EventRef hold;
  Money amount;
  Instant expired_at;  ///< When it was due; recorded_at says when it was noticed.
  Money held_after;
  Money available_after;

  bool operator==(const HoldExpired&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("hold", hold), field("amount", amount), field("expired_at", expired_at),
       field("held_after", held_after), field("available_after", available_after));
  }
};

struct ChargeRefunded {
  static constexpr std::uint16_t kType = 14;
  static constexpr std::string_view kName = "ChargeRefunded";
  EventRef charge;  ///< The ChargePosted or HoldCaptured that is given back.
  Money amount;
  Money refunded_total;  ///< Of that charge, this refund included.
  std::string reason;
  Money balance_after;
  Money available_after;

  bool operator==(const ChargeRefunded&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("charge", charge), field("amount", amount), field("refunded_total", refunded_total),
       field("reason", reason), field("balance_after", balance_after),
       field("available_after", available_after));
  }
};

struct BalancePaidOut {
  static constexpr std::uint16_t kType = 15;
  static constexpr std::string_view kName = "BalancePaidOut";
  Money amount;
  std::optional<std::string> description;
  Money balance_after;
  Money available_after;

  bool operator==(const BalancePaidOut&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("amount", amount), field("description", description),
       field("balance_after", balance_after), field("available_after", available_after));
  }
};

struct CreditNoteIssued {
  static constexpr std::uint16_t kType = 16;
  static constexpr std::string_view kName = "CreditNoteIssued";
  Money amount;  ///< Signed: positive raises the balance.
  std::string reason;
  Money balance_after;
  Money available_after;

  bool operator==(const CreditNoteIssued&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("amount", amount), field("reason", reason), field("balance_after", balance_after),
       field("available_after", available_after));
  }
};

struct AdjustmentPosted {
  static constexpr std::uint16_t kType = 17;
  static constexpr std::string_view kName = "AdjustmentPosted";
  Money amount;  ///< Signed: positive raises the balance.
  std::string reason;
  Attributes attributes;
  Money balance_after;
  Money available_after;

  bool operator==(const AdjustmentPosted&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("amount", amount), field("reason", reason), field("attributes", attributes),
       field("balance_after", balance_after), field("available_after", available_after));
  }
};

struct CreditLimitSet {
  static constexpr std::uint16_t kType = 18;
  static constexpr std::string_view kName = "CreditLimitSet";
  Money amount;
  std::optional<Money> previous;  ///< The override before; absent when there was none.
  std::string reason;
  Money available_after;

  bool operator==(const CreditLimitSet&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("amount", amount), field("previous", previous), field("reason", reason),
       field("available_after", available_after));
  }
};

struct CreditLimitCleared {
  static constexpr std::uint16_t kType = 19;
  static constexpr std::string_view kName = "CreditLimitCleared";
  Money previous;
  std::optional<std::string> reason;
  Money available_after;

  bool operator==(const CreditLimitCleared&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("previous", previous), field("reason", reason),
       field("available_after", available_after));
  }
};

struct TagSet {
  static constexpr std::uint16_t kType = 20;
  static constexpr std::string_view kName = "TagSet";
  std::optional<std::string> service;  ///< Absent: a tag of the account itself.
  std::string tag;
  std::string value;
  std::optional<PrivateValue> extra;
  std::optional<std::string> previous;

  bool operator==(const TagSet&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("service", service), field("tag", tag), field("value", value), field("extra", extra),
       field("previous", previous));
  }
};

struct TagRemoved {
  static constexpr std::uint16_t kType = 21;
  static constexpr std::string_view kName = "TagRemoved";
  std::optional<std::string> service;
  std::string tag;
  std::optional<std::string>
      previous;  ///< Absent: `auto_credit` was removed without having been set.

  bool operator==(const TagRemoved&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("service", service), field("tag", tag), field("previous", previous));
  }
};

struct UsageNoted {
  static constexpr std::uint16_t kType = 22;
  static constexpr std::string_view kName = "UsageNoted";
  std::optional<std::string> description;
  std::optional<std::string> service;
  Attributes attributes;

  bool operator==(const UsageNoted&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("description", description), field("service", service),
       field("attributes", attributes));
  }
};

struct PrivateDataErased {
  static constexpr std::uint16_t kType = 23;
  static constexpr std::string_view kName = "PrivateDataErased";
  std::optional<std::string> reason;

  bool operator==(const PrivateDataErased&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("reason", reason));
  }
};

/// A keyed command that found everything as it wanted it. It keeps the key, so that a retry is
/// answered alike for ever.
struct NoChange {
  static constexpr std::uint16_t kType = 24;
  static constexpr std::string_view kName = "NoChange";
  std::optional<EventRef> of;  ///< The event whose answer this command repeats.

  bool operator==(const NoChange&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("of", of));
  }
};

/// A business no to any command but a charge; it moves nothing.
struct CommandRefused {
  static constexpr std::uint16_t kType = 25;
  static constexpr std::string_view kName = "CommandRefused";
  std::string command;  ///< "hold", "refund", "close", ...: the word of the route.
  RefusalReason reason = RefusalReason::kInsufficientFunds;
  std::optional<Money> amount;
  std::optional<Money> short_by;

  bool operator==(const CommandRefused&) const = default;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(field("command", command), field("reason", reason), field("amount", amount),
       field("short_by", short_by));
  }
};

}  // namespace daybook::domain
