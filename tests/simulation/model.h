#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "eventstore/command.h"

/// A second ledger, as simple as can be, written from the specification: it shares the types of
/// commands and events with the product, and none of its arithmetic, states, indexes or folds.
namespace daybook::simulation {

__extension__ using Int = __int128;  ///< Units of 10^-12; the model's own number type.

/// Reads "-12.5" without the product's parser. REQUIRES: a number of at most 38 digits.
Int units_of(const std::string& text);

/// What the next answer must be, and what must be in the log because of it.
struct Predicted {
  eventstore::AnswerKind kind = eventstore::AnswerKind::kUnchanged;
  std::vector<domain::RecordedEvent> events;  ///< The first `settled` of them happen in any case.
  std::size_t settled = 0;
  std::optional<std::uint64_t> event;     ///< Position of the event that answers.
  std::optional<std::uint64_t> original;  ///< Position of the event whose answer is repeated.
  domain::RejectionKind rejection = domain::RejectionKind::kInvalid;
  std::string pointer;
  std::uint64_t version = 0;          ///< Of the stream once the command was done.
  std::uint64_t settled_version = 0;  ///< Of the stream once it was settled.
  bool is_refusal = false;            ///< May be withheld: too many refusals.
};

class Model {
 public:
  struct Balance {
    domain::Currency currency;
    Int balance = 0;
    Int held = 0;
    std::optional<Int> limit;
  };
  struct Hold {
    domain::Money amount;
    std::optional<Instant> expires_at;
    std::optional<std::string> service;
  };
  using TagName = std::pair<std::optional<std::string>, std::string>;
  struct Tag {
    std::optional<std::string> value;
    bool has_extra = false;
  };
  struct Account {
    std::uint64_t version = 0;
    domain::AccountStatus status = domain::AccountStatus::kNone;
    bool frozen = false;  ///< Also while it is closed.
    domain::AccountMode mode = domain::AccountMode::kPrepaid;
    domain::Currency currency;
    std::vector<Balance> balances;
    std::map<std::uint64_t, Hold> holds;
    std::map<TagName, Tag> tags;
    bool has_private = false;  ///< Values named since the last erasure, replaced ones too.
    std::map<std::uint64_t, Int> refunded;  ///< By version of the charge.
    std::set<std::uint64_t> reversed;       ///< Versions of top-ups.
  };
  struct Currency {
    std::optional<Int> default_limit;
    std::optional<Int> minimum_top_up;
    domain::CurrencyStatus status = domain::CurrencyStatus::kActive;
  };
  struct Tenant {
    std::uint64_t version = 0;
    std::optional<std::string> name;
    std::map<std::string, std::pair<bool, bool>> keys;  ///< Id -> is admin, is revoked.
    std::map<std::string, Currency> currencies;         ///< By code.
    std::uint64_t catalogue_version = 0;
  };
  using AccountName = std::pair<std::string, std::string>;  ///< Tenant and account.

  /// The answer that the command must get if it is decided next, at `now`.
  Predicted predict(const eventstore::Command& command, Instant now) const;

  /// The event is the next one of the log.
  void append(const domain::RecordedEvent& event);
  /// The log lost everything from `position`.
  void truncate(std::uint64_t position);

  const std::vector<domain::RecordedEvent>& log() const { return log_; }
  const std::map<AccountName, Account>& accounts() const { return accounts_; }
  const Account* account(const domain::StreamId& stream) const;
  /// Position of the event that carries a key.
  std::optional<std::uint64_t> position_of_key(const domain::StreamId& stream,
                                               const std::string& key) const;
  /// Position of a version of a stream.
  std::optional<std::uint64_t> position_of(const domain::StreamId& stream,
                                           std::uint64_t version) const;
  /// Position of the newest refund or reversal on an account.
  std::optional<std::uint64_t> newest_reference(const domain::StreamId& stream) const;

 private:
  friend class Prediction;

  void append_to(Tenant& tenant, const domain::RecordedEvent& event);

  std::vector<domain::RecordedEvent> log_;
  std::map<AccountName, Account> accounts_;
  std::map<std::string, Tenant> tenants_;
  std::map<std::pair<domain::StreamId, std::string>, std::uint64_t> keys_;
  std::map<domain::StreamId, std::vector<std::uint64_t>> streams_;
  std::map<domain::StreamId, std::uint64_t> newest_reference_;
};

/// The account once the event counts: sums of amounts, not the event's own `*_after`.
void fold(Model::Account& account, const domain::RecordedEvent& event);

}  // namespace daybook::simulation
