#include <map>
#include <set>
#include <string>
#include <utility>

#include "domain/posting_rules.h"
#include "projections/accounts.h"
#include "projections/all_projections.h"
#include "projections/balances.h"
#include "projections/due.h"
#include "projections/general_ledger.h"
#include "projections/tables.h"
#include "tests/simulation/world.h"

/// What must hold of a whole log and of the tables that were folded from it.
namespace daybook::simulation {
namespace {

using domain::StreamId;

void check_history(const std::vector<domain::RecordedEvent>& log) {
  std::map<StreamId, std::uint64_t> versions;
  std::set<std::pair<StreamId, std::string>> keys;
  std::map<StreamId, int> top_ups;
  std::map<std::uint16_t, Int> postings;
  Instant last;
  for (const auto& event : log) {
    require(event.version == ++versions[event.stream], "a version is missing or there twice");
    require(event.recorded_at >= last, "recorded_at runs backwards");
    require(event.effective_at <= event.recorded_at, "effective in the future");
    last = event.recorded_at;
    if (!event.idempotency_key.empty()) {
      require(keys.emplace(event.stream, event.idempotency_key).second, "a key with two events");
    }
    if (const auto* top_up = std::get_if<domain::BalanceToppedUp>(&event.event);
        top_up != nullptr && top_up->provider_payment_id) {
      const auto payment =
          StreamId::payment(event.stream.tenant, *top_up->provider, *top_up->provider_payment_id);
      require(++top_ups[payment] == 1, "a payment counted twice");
      require(versions[payment] == 1, "a payment counted without a claim");
    }
    for (const auto& posting : domain::postings_of(event.event, event.rules_version)) {
      postings[posting.amount.currency.packed()] += posting.amount.amount.units;
    }
    for (const auto& [currency, sum] : postings) require(sum == 0, "postings do not sum to zero");
  }
}

std::map<std::string, std::string> rows_of(const eventstore::KvReader& reader,
                                           eventstore::Table table) {
  std::map<std::string, std::string> rows;
  const auto cursor = reader.scan(table, "", "");
  for (; cursor->valid(); cursor->next()) rows.emplace(cursor->key(), cursor->value());
  return rows;
}

}  // namespace

void World::check_tables() {
  require(projector_->applied() == model_.log().size(), "not everything is projected");
  check_history(model_.log());
  const auto reader = kv_.snapshot();
  check_against_rebuild(*reader);
  check_against_model(*reader);
}

void World::check_against_rebuild(const eventstore::KvReader& reader) {
  eventstore::MemoryKv fresh(projections::kTableCount);
  projections::Projector rebuild(*log_, fresh, clock_, projections::all_projections(fresh));
  require(rebuild.run_once().ok(), "a rebuild fails");
  const auto rebuilt = fresh.snapshot();
  for (eventstore::Table table = 0; table < projections::kTableCount; ++table) {
    require(rows_of(reader, table) == rows_of(*rebuilt, table),
            "table " + projections::table_specs()[table].name + " is not the fold of the log");
  }
}

void World::check_against_model(const eventstore::KvReader& reader) const {
  // Modulo 2^128: a total over accounts may not fit.
  std::map<std::pair<std::string, std::uint16_t>, uint128> totals;
  std::size_t holds_due = 0;
  for (const auto& [name, account] : model_.accounts()) {
    const TenantId tenant(name.first);
    const AccountId id(name.second);
    const auto row = projections::account_of(reader, projections::kAccountsTable, tenant, id);
    require(row.ok() && *row && (*row)->version == account.version &&
                (*row)->status == account.status && (*row)->tags.size() == account.tags.size(),
            "accounts differs from the model: " + name.second);
    const auto balances = projections::balances_of(reader, projections::kBalancesTable, tenant, id);
    require(balances.ok() && balances->size() == account.balances.size(),
            "balances differs from the model: " + name.second);
    for (std::size_t i = 0; i < account.balances.size(); ++i) {
      const auto& want = account.balances[i];
      const auto& found = (*balances)[i].balance;
      const bool same_limit = found.limit_override.has_value() == want.limit.has_value() &&
                              (!want.limit || found.limit_override->units == *want.limit);
      require(found.currency == want.currency && found.balance.units == want.balance &&
                  found.held.units == want.held && same_limit,
              "a balance differs from the model: " + name.second);
      totals[{name.first, want.currency.packed()}] += static_cast<uint128>(want.balance);
    }
    for (const auto& [version, hold] : account.holds) holds_due += hold.expires_at ? 1U : 0U;
    const auto state = index_->account_state(tenant, id);
    require(state.ok() && state->version == account.version &&
                state->holds.size() == account.holds.size(),
            "states differs from the model: " + name.second);
  }
  const auto due = projections::due_by(reader, projections::kDueTable, {INT64_MAX}, 1'000'000);
  require(due.ok() && due->size() == holds_due, "due differs from the model");
  for (const auto& [tenant_and_currency, total] : totals) {
    const auto trial = projections::trial_balance(reader, projections::kGeneralLedgerTable,
                                                  TenantId(tenant_and_currency.first));
    require(trial.ok(), "no trial balance");
    for (const auto& currency : trial->currencies) {
      require(currency.is_balanced(), "the books are not balanced");
    }
    for (const auto& line : trial->accounts) {
      if (line.account != domain::LedgerAccount::kCustomerBalance ||
          line.currency.packed() != tenant_and_currency.second) {
        continue;
      }
      const uint128 net = line.sums.credits.units.low - line.sums.debits.units.low;
      require(net == total, "the general ledger differs from the balances");
    }
  }
}

}  // namespace daybook::simulation
