#include "projections/general_ledger.h"

#include <algorithm>

#include "domain/base/int128.h"
#include "eventstore/wire.h"
#include "projections/row_codec.h"

namespace daybook::projections {
namespace {

using domain::LedgerAccount;
using eventstore::WireReader;
using eventstore::WireWriter;

constexpr std::size_t kCodeBytes = 3;
constexpr std::size_t kDayBytes = sizeof(std::uint64_t);

struct RowKey {
  LedgerAccount account;
  domain::Currency currency;
  std::int64_t day;
};

/// `rest` is the key after the tenant; empty if it is none of ours.
std::optional<RowKey> read_key(std::string_view rest) {
  if (rest.size() != 1 + kCodeBytes + kDayBytes) return std::nullopt;
  const auto account = static_cast<std::uint8_t>(rest[0]);
  const auto currency = domain::Currency::parse(rest.substr(1, kCodeBytes));
  if (account > static_cast<std::uint8_t>(LedgerAccount::kAdjustments) || !currency) {
    return std::nullopt;
  }
  return RowKey{static_cast<LedgerAccount>(account), *currency,
                read_sortable(rest.substr(1 + kCodeBytes))};
}

CurrencyTotal& total_of(std::vector<CurrencyTotal>& totals, domain::Currency currency) {
  const auto at = std::lower_bound(
      totals.begin(), totals.end(), currency,
      [](const CurrencyTotal& total, domain::Currency wanted) { return total.currency < wanted; });
  if (at != totals.end() && at->currency == currency) return *at;
  return *totals.insert(at, {currency, {}});
}

void write_sum(WireWriter& wire, const WideSum& sum) {
  wire.varint128(sum.units.low);
  wire.varint128(sum.units.high);
}
WideSum read_sum(WireReader& wire) {
  const uint128 low = wire.varint128();
  return {{wire.varint128(), low}};
}

}  // namespace

void LedgerSums::add(const domain::Amount& posted) {
  (posted.is_negative() ? credits : debits).add(magnitude_of(posted.units));
}

void LedgerSums::add(const LedgerSums& other) {
  debits.add(other.debits);
  credits.add(other.credits);
}

std::string encode_row(const LedgerSums& row) {
  std::string bytes;
  WireWriter wire(bytes);
  write_sum(wire, row.debits);
  write_sum(wire, row.credits);
  return bytes;
}

bool decode_row(std::string_view bytes, LedgerSums& row) {
  WireReader wire(bytes);
  row.debits = read_sum(wire);
  row.credits = read_sum(wire);
  return wire.ok() && wire.at_end();
}

Status GeneralLedger::apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch&) {
  for (const domain::RecordedEvent& event : entry.events) {
    if (Status status = apply_event(event); !status.ok()) return status;
  }
  return {};
}

Status GeneralLedger::apply_event(const domain::RecordedEvent& event) {
  if (event.rules_version > domain::kPostingRulesVersion) {
    return corrupt("posting rules version " + std::to_string(event.rules_version) +
                   " is newer than this program");
  }
  for (const domain::Posting& posting : domain::postings_of(event.event, event.rules_version)) {
    std::string key = tenant_prefix(event.stream.tenant);
    key.push_back(static_cast<char>(posting.account));
    key += posting.amount.currency.code();
    append_sortable(key, utc_day_of(event.effective_at));
    auto row = rows().edit(key);
    if (!row.ok()) return row.status();
    if (!**row) (*row)->emplace();
    (**row)->add(posting.amount.amount);
  }
  return {};
}

std::string net_text(const LedgerSums& sums, int minimum_decimals) {
  if (!(sums.debits < sums.credits)) {
    return to_text(difference(sums.debits, sums.credits), minimum_decimals);
  }
  return "-" + to_text(difference(sums.credits, sums.debits), minimum_decimals);
}

Result<TrialBalance> trial_balance(const eventstore::KvReader& reader, eventstore::Table table,
                                   const TenantId& tenant, DayRange days) {
  const std::string prefix = tenant_prefix(tenant);
  TrialBalance balance;
  const auto cursor = reader.scan(table, prefix, end_of_prefix(prefix));
  for (; cursor->valid(); cursor->next()) {
    const auto key = read_key(cursor->key().substr(prefix.size()));
    LedgerSums sums;
    if (!key || !decode_row(cursor->value(), sums)) {
      return corrupt("general ledger: not a row of it: " + eventstore::to_hex(cursor->key()));
    }
    if (days.last && key->day > *days.last) continue;
    const bool is_before = days.first && key->day < *days.first;
    if (balance.accounts.empty() || balance.accounts.back().account != key->account ||
        balance.accounts.back().currency != key->currency) {
      balance.accounts.push_back({key->account, key->currency, {}, {}});
    }
    LedgerTotal& account = balance.accounts.back();
    CurrencyTotal& total = total_of(balance.currencies, key->currency);
    (is_before ? account.opening : account.sums).add(sums);
    (is_before ? total.opening : total.sums).add(sums);
  }
  if (Status status = cursor->status(); !status.ok()) return status;
  return balance;
}

}  // namespace daybook::projections
