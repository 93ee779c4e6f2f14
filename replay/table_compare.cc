#include "replay/table_compare.h"

#include "domain/event.h"
#include "domain/posting_rules.h"
#include "eventstore/digest.h"
#include "eventstore/log_index.h"
#include "eventstore/wire.h"
#include "projections/accounts.h"
#include "projections/balances.h"
#include "projections/checkpoint.h"
#include "projections/general_ledger.h"
#include "projections/tables.h"

namespace daybook::replay {
namespace {

using eventstore::KvCursor;
using eventstore::Table;

constexpr std::size_t kBytesShownMax = 96;

/// Printable ASCII as it is, a NUL as `/`, other bytes as `\xHH`.
std::string visible(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    if (byte == '\0') {
      text.push_back('/');
    } else if (byte > 0x20 && byte < 0x7F) {
      text.push_back(byte);
    } else {
      text += "\\x" + eventstore::to_hex(std::string_view(&byte, 1));
    }
  }
  return text;
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

/// `tenant NUL kind id NUL` as `kind tenant/id`; bytes as they are if it is not that.
std::string readable_stream(std::string_view key) {
  const std::size_t end = key.find('\0');
  if (end == std::string_view::npos || end + 2 > key.size() || key.back() != '\0') {
    return visible(key);
  }
  const auto kind = static_cast<std::uint8_t>(key[end + 1]);
  if (kind > static_cast<std::uint8_t>(domain::StreamKind::kPartition)) return visible(key);
  const std::string_view id = key.substr(end + 2, key.size() - end - 3);
  return std::string(name_of(static_cast<domain::StreamKind>(kind))) + " " +
         visible(key.substr(0, end)) + (id.empty() ? "" : "/" + visible(id));
}

std::string readable_version(std::string_view key) {
  if (key.size() < 8) return visible(key);
  return readable_stream(key.substr(0, key.size() - 8)) + " version " +
         std::to_string(big_endian(key.substr(key.size() - 8)));
}

std::string readable_ledger_key(std::string_view key) {
  constexpr std::size_t kRest = 1 + 3 + 8;
  const std::size_t end = key.find('\0');
  if (end == std::string_view::npos || key.size() != end + 1 + kRest) return visible(key);
  const auto account = static_cast<std::uint8_t>(key[end + 1]);
  if (account > static_cast<std::uint8_t>(domain::LedgerAccount::kAdjustments)) return visible(key);
  const std::uint64_t sortable = big_endian(key.substr(key.size() - 8));
  return visible(key.substr(0, end)) + " " +
         std::string(name_of(static_cast<domain::LedgerAccount>(account))) + " " +
         visible(key.substr(end + 2, 3)) + " day " +
         std::to_string(static_cast<std::int64_t>(sortable ^ (std::uint64_t{1} << 63)));
}

std::string bytes_text(std::string_view row) {
  std::string text =
      std::to_string(row.size()) + " bytes " + eventstore::to_hex(row.substr(0, kBytesShownMax));
  if (row.size() > kBytesShownMax) {
    text += "... SHA-256 " + eventstore::to_hex(eventstore::sha256({row}));
  }
  return text;
}

std::string checkpoint_text(std::string_view row) {
  const auto checkpoint = projections::decode_checkpoint(row);
  if (!checkpoint) return "not a checkpoint: " + bytes_text(row);
  return "checkpoint before position " + std::to_string(checkpoint->next_position) + ", entry " +
         std::to_string(checkpoint->entry_no) + ", chain " + eventstore::to_hex(checkpoint->chain) +
         ", code version " + std::to_string(checkpoint->code_version);
}

std::string balance_text(const projections::BalanceRow& row) {
  const auto text = [&](domain::Amount amount) {
    return to_text(domain::Money{amount, row.balance.currency});
  };
  return "balance " + text(row.balance.balance) + ", held " + text(row.balance.held) +
         ", credit limit " +
         (row.balance.limit_override ? text(*row.balance.limit_override) : "not set") +
         ", since version " + std::to_string(row.first_version) + ", at position " +
         std::to_string(row.position);
}

std::string account_text(const projections::AccountRow& row) {
  return std::string(name_of(row.status)) + ", version " + std::to_string(row.version) + ", " +
         std::to_string(row.tags.size()) + " tags, at position " + std::to_string(row.position);
}

std::string describe(Table table, const KvCursor& row, bool is_there) {
  return is_there ? readable_row(table, row.key(), row.value()) : "no row";
}

}  // namespace

Result<std::optional<RowDifference>> compare_table(const eventstore::KvReader& expected,
                                                   const eventstore::KvReader& found, Table table,
                                                   std::uint64_t& rows) {
  const auto left = expected.scan(table, "", "");
  const auto right = found.scan(table, "", "");
  std::optional<RowDifference> difference;
  while (!difference && (left->valid() || right->valid())) {
    const bool has_left = left->valid() && (!right->valid() || left->key() <= right->key());
    const bool has_right = right->valid() && (!left->valid() || right->key() <= left->key());
    if (!has_left || !has_right || left->value() != right->value()) {
      const std::string_view key = has_left ? left->key() : right->key();
      difference = RowDifference{readable_key(table, key), describe(table, *left, has_left),
                                 describe(table, *right, has_right)};
      break;
    }
    if (left->key() != projections::kCheckpointKey) ++rows;
    left->next();
    right->next();
  }
  // A cursor that failed looks like one at its end.
  if (Status status = left->status(); !status.ok()) return status;
  if (Status status = right->status(); !status.ok()) return status;
  return difference;
}

std::string readable_key(Table table, std::string_view key) {
  if (key == projections::kCheckpointKey) return "checkpoint";
  if (key.empty()) return "the empty key";
  switch (table) {
    case projections::kKeysTable:
      return "look-up " + eventstore::to_hex(key.substr(1));
    case projections::kStreamsTable:
      return readable_version(key);
    case projections::kStatesTable:
      return key.front() == 'L' ? "latest state of " + readable_stream(key.substr(1))
                                : "snapshot of " + readable_version(key.substr(1));
    case projections::kDueTable:
      return key.front() == 'H' ? "hold of " + readable_version(key.substr(1)) : visible(key);
    case projections::kGeneralLedgerTable:
      return readable_ledger_key(key);
    default:
      return visible(key);
  }
}

std::string readable_row(Table table, std::string_view key, std::string_view row) {
  if (key == projections::kCheckpointKey) return checkpoint_text(row);
  if (table == projections::kBalancesTable) {
    projections::BalanceRow balance;
    if (decode_row(row, balance)) return balance_text(balance);
  } else if (table == projections::kAccountsTable) {
    projections::AccountRow account;
    if (decode_row(row, account)) return account_text(account) + "; " + bytes_text(row);
  } else if (table == projections::kGeneralLedgerTable) {
    projections::LedgerSums sums;
    if (decode_row(row, sums)) {
      return "debits " + to_text(sums.debits, 2) + ", credits " + to_text(sums.credits, 2);
    }
  } else if (table == projections::kStreamsTable) {
    const auto event = eventstore::decode_stream_row(row);
    if (event.ok()) {
      return std::string(name_of((*event)->event.event)) + " at position " +
             std::to_string((*event)->position) + "; " + bytes_text(row);
    }
  } else if (table == projections::kKeysTable) {
    eventstore::WireReader wire(row);
    const std::uint64_t position = wire.varint();
    if (wire.ok() && wire.at_end()) return "position " + std::to_string(position);
  }
  return bytes_text(row);
}

}  // namespace daybook::replay
