#pragma once

#include <string>

#include "eventstore/command.h"
#include "tests/simulation/model.h"
#include "tests/simulation/rng.h"

namespace daybook::simulation {

/// What the virtual clients want: commands of every kind on a few accounts, many of them wrong.
class Workload {
 public:
  struct Options {
    std::size_t tenants = 1;
    std::size_t accounts = 3;  ///< Per tenant.
    bool wide = false;         ///< Many currencies, huge amounts.
    bool fat = false;          ///< Events of many kilobytes, so that entries fill up.
    bool hoards = false;       ///< Hundreds of small holds that are due at the same time.
  };

  Workload(Rng& rng, Options options) : rng_(rng), options_(options) {}

  /// A new request; its key and fingerprint are its own.
  eventstore::Command next(const Model& model, Instant now);
  /// The payment of an earlier top-up again: another key, perhaps another account or amount. Any
  /// other command: a new body under the same key.
  eventstore::Command variation(const Model& model, const eventstore::Command& earlier,
                                Instant now);

 private:
  domain::AccountCommand money_in(const Model& model, const Model::Account& account,
                                  const domain::StreamId& stream);
  domain::AccountCommand money_out(const Model& model, const Model::Account& account,
                                   const domain::StreamId& stream, Instant now);
  domain::PlaceHold small_hold(const Model::Account& account, Instant now);
  domain::AccountCommand terms(const Model::Account& account);
  domain::AccountCommand life();
  domain::AccountCommand open();
  domain::TenantCommand tenant_command(bool exists);
  domain::KeyGrant key_grant();

  domain::Money money(const Model::Account& account, bool whole = false);
  domain::Currency currency(const Model::Account& account);
  domain::Currency any_currency();
  domain::EventRef version_of(const Model& model, const domain::StreamId& stream,
                              std::uint64_t version, bool (*is_wanted)(const domain::Event& event));
  std::optional<std::string> maybe(const char* text) {
    return rng_.chance(30) ? std::optional<std::string>(text) : std::nullopt;
  }

  Rng& rng_;
  Options options_;
  std::uint64_t requests_ = 0;
  std::uint64_t keys_ = 0;  ///< API keys asked for; their ids never repeat.
};

}  // namespace daybook::simulation
