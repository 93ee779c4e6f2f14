#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "domain/account.h"
#include "domain/base/time.h"
#include "domain/currency.h"
#include "eventstore/command.h"

namespace daybook::app {

/// Customers and a month of their activity, made up: the same for the same seed and time. Nobody
/// real is in it; accounts are opaque ids, texts come in five scripts.
///
/// Goes round by round: one command for each account, then the answers, since a refund names the
/// charge that the ledger recorded. Thread rule: one thread at a time.
class DemoData {
 public:
  static constexpr std::size_t kAccounts = 40;
  static constexpr int kRounds = 120;
  static constexpr std::int64_t kDays = 30;

  /// The month ends at `now`.
  DemoData(std::uint64_t seed, Instant now);

  /// The commands of the next round, element i for account i; nothing once kRounds are done.
  std::vector<eventstore::Command> next_round();

  /// What the ledger answered to element i of the last round.
  void learn(std::size_t account, const eventstore::Answer& answer);

  const std::string& account_id(std::size_t account) const { return accounts_[account].id; }
  domain::Currency currency(std::size_t account) const { return accounts_[account].currency; }

 private:
  struct Account {
    std::string id;
    domain::Currency currency;
    std::uint64_t charge = 0;  ///< Version of the last charge; 0: none.
    std::uint64_t hold = 0;    ///< Of the open hold.
  };

  std::uint64_t below(std::uint64_t bound);
  bool is_rare(std::uint64_t one_in) { return below(one_in) == 0; }
  std::string text();
  std::string service(const Account& account);
  /// A payment of whole minor units, or a price with as many decimals as clouds have.
  domain::Money payment(const Account& account, std::uint64_t from, std::uint64_t to);
  domain::Money price(const Account& account);

  domain::AccountCommand opening(const Account& account);
  domain::AccountCommand activity(Account& account);
  domain::AccountCommand money_back(Account& account);
  domain::AccountCommand about_holds(const Account& account);

  std::mt19937_64 random_;
  Instant begin_;
  std::int64_t step_micros_;
  int round_ = 0;
  std::vector<Account> accounts_;
};

}  // namespace daybook::app
