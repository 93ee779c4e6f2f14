#include "projections/balances.h"

#include <algorithm>
#include <optional>

#include "eventstore/wire.h"
#include "projections/row_codec.h"

namespace daybook::projections {
namespace {

using domain::Amount;
using domain::CurrencyBalance;
using eventstore::WireReader;
using eventstore::WireWriter;

/// What an event says of one currency; a member that is empty stays as it was.
struct Change {
  domain::Currency currency;
  std::optional<Amount> balance;
  std::optional<Amount> held;
  std::optional<std::optional<Amount>> limit_override;
};

/// Mirrors domain::evolve, so that a currency appears here with the event that brings it there.
std::optional<Change> change_of(const domain::Event& event) {
  return std::visit(
      [](const auto& body) -> std::optional<Change> {
        using Body = std::decay_t<decltype(body)>;
        Change change;
        if constexpr (std::is_same_v<Body, domain::AccountOpened>) {
          change.currency = body.currency;
        } else if constexpr (std::is_same_v<Body, domain::CreditLimitSet>) {
          change.currency = body.amount.currency;
          change.limit_override.emplace(body.amount.amount);
        } else if constexpr (std::is_same_v<Body, domain::CreditLimitCleared>) {
          change.currency = body.previous.currency;
          change.limit_override.emplace(std::nullopt);
        } else {
          if constexpr (requires { body.balance_after; }) {
            change.currency = body.balance_after.currency;
            change.balance = body.balance_after.amount;
          }
          if constexpr (requires { body.held_after; }) {
            change.currency = body.held_after.currency;
            change.held = body.held_after.amount;
          }
        }
        if (change.currency.is_none()) return std::nullopt;
        return change;
      },
      event);
}

}  // namespace

std::string encode_row(const BalanceRow& row) {
  std::string bytes;
  WireWriter wire(bytes);
  wire.varint(row.balance.currency.packed());
  write_amount(wire, row.balance.balance);
  write_amount(wire, row.balance.held);
  wire.fixed8(row.balance.limit_override ? 1 : 0);
  if (row.balance.limit_override) write_amount(wire, *row.balance.limit_override);
  wire.varint(row.first_version);
  wire.varint(row.position);
  return bytes;
}

bool decode_row(std::string_view bytes, BalanceRow& row) {
  WireReader wire(bytes);
  const std::uint64_t packed = wire.varint();
  if (packed > UINT16_MAX) return false;
  const auto currency = domain::Currency::unpack(static_cast<std::uint16_t>(packed));
  if (!currency) return false;
  row.balance.currency = *currency;
  row.balance.balance = read_amount(wire);
  row.balance.held = read_amount(wire);
  row.balance.limit_override.reset();
  if (read_flag(wire)) row.balance.limit_override = read_amount(wire);
  row.first_version = wire.varint();
  row.position = wire.varint();
  return wire.ok() && wire.at_end();
}

Status Balances::apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch&) {
  for (std::size_t i = 0; i < entry.events.size(); ++i) {
    if (entry.events[i].stream.kind != domain::StreamKind::kAccount) continue;
    if (Status status = apply_event(entry, i); !status.ok()) return status;
  }
  return {};
}

Status Balances::apply_event(const eventstore::DecodedEntry& entry, std::size_t index) {
  const domain::RecordedEvent& event = entry.events[index];
  const auto change = change_of(event.event);
  if (!change) return {};
  auto found = rows().edit_of(entry, index, change->currency.code());
  if (!found.ok()) return found.status();
  std::optional<BalanceRow>& row = **found;
  if (!row) row = BalanceRow{{change->currency, {}, {}, {}}, event.version, 0};
  if (change->balance) row->balance.balance = *change->balance;
  if (change->held) row->balance.held = *change->held;
  if (change->limit_override) row->balance.limit_override = *change->limit_override;
  row->position = entry.entry.base_position + index;
  return {};
}

Result<std::vector<BalanceRow>> balances_of(const eventstore::KvReader& reader,
                                            eventstore::Table table, const TenantId& tenant,
                                            const AccountId& account) {
  const std::string prefix = account_prefix(tenant, account.value());
  std::vector<BalanceRow> rows;
  const auto cursor = reader.scan(table, prefix, end_of_prefix(prefix));
  for (; cursor->valid(); cursor->next()) {
    BalanceRow row;
    if (!decode_row(cursor->value(), row)) {
      return corrupt("balances of account " + account.value() + ": not a balance row");
    }
    rows.push_back(row);
  }
  if (Status status = cursor->status(); !status.ok()) return status;
  std::sort(rows.begin(), rows.end(), [](const BalanceRow& left, const BalanceRow& right) {
    return left.first_version < right.first_version;
  });
  return rows;
}

}  // namespace daybook::projections
